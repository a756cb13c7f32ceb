package ingest

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/peer"
)

// keysOf returns the keys of an instance: the secrets of its peers, because all instances must know those anyway. An
// instance that is alone has a random key, so what it signed ends with the process.
func keysOf(peers peer.Config) func() [][]byte {
	keys := make([][]byte, len(peers.Secrets))
	for i, secret := range peers.Secrets {
		keys[i] = []byte(secret.Reveal())
	}
	if len(keys) == 0 {
		keys = [][]byte{make([]byte, sha256.Size)}
		_, _ = rand.Read(keys[0]) // It never returns an error.
	}
	return func() [][]byte { return keys }
}

// derive returns a key for one purpose, so that what is signed for one can not be used for another.
func derive(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "orderledger/"+purpose+"/v1", sha256.Size)
	if err != nil {
		panic(err) // Only a key of more than 8 KiB can't be derived.
	}
	return key
}

// The searches that tokens belong to.
const (
	shipmentsSearch = "shipments"
	returnsSearch   = "returns"
)

// maxToken bounds a token, because clients send it in a URL: the server reads no more than 64 KiB of headers.
const maxToken = 32 << 10

// pageTokens seals where the next page of a search begins. A token holds the whole search, so no instance keeps any,
// and a signature over it, its kind and its seller: a client can not make one, nor use another seller's.
type pageTokens struct{ keys func() [][]byte }

// seal returns the token of a place in a search.
func (t pageTokens) seal(search, sellerID string, place any) (string, error) {
	text, err := json.Marshal(place)
	if err != nil {
		return "", fmt.Errorf("encode page token: %w", err)
	}
	mac := t.mac(t.keys()[0], search, sellerID, text)
	token := base64.RawURLEncoding.EncodeToString(append(text, mac...))
	if len(token) > maxToken {
		return "", httpx.Unprocessable.New("the search names too much for the URL of its next page: name fewer values")
	}
	return token, nil
}

// open reads a token into place. It reports whether the token is one of this search and seller.
func (t pageTokens) open(search, sellerID, token string, place any) bool {
	if len(token) > maxToken {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(sealed) < sha256.Size {
		return false
	}
	end := len(sealed) - sha256.Size
	text, mac := sealed[:end], sealed[end:]
	for _, key := range t.keys() {
		if hmac.Equal(mac, t.mac(key, search, sellerID, text)) {
			return json.Unmarshal(text, place) == nil
		}
	}
	return false
}

func (t pageTokens) mac(key []byte, search, sellerID string, text []byte) []byte {
	mac := hmac.New(sha256.New, derive(key, "page-token"))
	// The length keeps a seller's id and the text apart.
	_, _ = fmt.Fprintf(mac, "%s\n%d\n%s%s", search, len(sellerID), sellerID, text)
	return mac.Sum(nil)
}
