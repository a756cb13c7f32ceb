package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// The headers of a request from one instance to another.
const (
	headerPeerTime      = "Ledger-Peer-Time"
	headerPeerSignature = "Ledger-Peer-Signature"
)

// peerWindow is how far the time of a request may be from now, either way. Within it a request can be sent again by
// whoever saw it, which changes nothing: commands are decided once by their keys, and a lane that is let go finds its
// owner again.
const peerWindow = 60 * time.Second

// Why a request of a peer is refused; they are labels too.
var (
	errPeerUnsigned = errors.New("unsigned")
	errPeerOld      = errors.New("old")
	errPeerWrong    = errors.New("wrong")
)

// peerKeys sign and check what instances of one ledger ask of each other.
type peerKeys struct {
	// cluster is under the signature, so that ledgers which share a secret by mistake do not obey each other.
	cluster string
	secrets []setting.Secret // Newest first: the first signs, all are accepted.
}

// sign returns the two headers for a request. path is that below the URL which is advertised, so that a proxy in front
// may serve it below a path of its own.
func (k peerKeys) sign(h http.Header, method, path string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerPeerTime, stamp)
	h.Set(headerPeerSignature, hex.EncodeToString(k.mac(k.secrets[0], method, path, stamp, body)))
}

func (k peerKeys) mac(secret setting.Secret, method, path, stamp string, body []byte) []byte {
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	// No part can hold a line end: the method and the time are checked, paths are those of the table, the rest is hex.
	_, _ = fmt.Fprintf(mac, "orderledger.peer.v1\n%s\n%s\n%s\n%s\n%x", k.cluster, method, path, stamp, sum)
	return mac.Sum(nil)
}

// fresh checks the time of a request, which can be done before its body is read.
func (k peerKeys) fresh(h http.Header, now time.Time) error {
	stamp, signature := h.Get(headerPeerTime), h.Get(headerPeerSignature)
	if stamp == "" || signature == "" {
		return fmt.Errorf("%w: the headers %s and %s are needed", errPeerUnsigned, headerPeerTime, headerPeerSignature)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s is not in seconds since 1970", errPeerUnsigned, headerPeerTime)
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > peerWindow || off < -peerWindow {
		return fmt.Errorf("%w: the request is of %s and this instance's clock says %s, more than %s apart: compare the clocks of the two machines",
			errPeerOld, time.Unix(seconds, 0).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), peerWindow)
	}
	return nil
}

// check checks the signature. All secrets are tried, so that the time it takes does not tell which one is right.
func (k peerKeys) check(h http.Header, method, path string, body []byte) error {
	got, err := hex.DecodeString(h.Get(headerPeerSignature))
	ok := false
	for _, secret := range k.secrets {
		if hmac.Equal(got, k.mac(secret, method, path, h.Get(headerPeerTime), body)) {
			ok = true
		}
	}
	if err != nil || !ok {
		return fmt.Errorf("%w: the signature is not made with a secret of this instance, for this ledger and this body", errPeerWrong)
	}
	return nil
}

// peerRefusal is the label of a reason.
func peerRefusal(err error) string {
	for _, known := range []error{errPeerUnsigned, errPeerOld, errPeerWrong} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "unreadable"
}
