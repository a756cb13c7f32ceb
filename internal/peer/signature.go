package peer

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
	headerTime      = "Ledger-Peer-Time"
	headerSignature = "Ledger-Peer-Signature"
)

// clockWindow is how far the time of a request may be from now, either way. Within it, anyone who saw a request can
// replay it. That changes nothing: commands are decided once by their keys, and a lane that is released finds its owner
// again.
const clockWindow = 60 * time.Second

// Why a request of a peer is refused. Their texts are labels too.
var (
	errUnsigned = errors.New("unsigned")
	errOld      = errors.New("old")
	errWrong    = errors.New("wrong")
)

// keys sign and check requests between the instances of one ledger.
type keys struct {
	// cluster is part of what is signed, so that ledgers which share a secret by mistake do not execute each other's
	// requests.
	cluster string
	secrets []setting.Secret // Newest first: the first signs, all are accepted.
}

// sign sets the two headers of a request. path is the part below the advertised URL, so that a proxy in front may serve
// it below a path of its own.
func (k keys) sign(h http.Header, method, path string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set(headerTime, stamp)
	h.Set(headerSignature, hex.EncodeToString(k.mac(k.secrets[0], method, path, stamp, body)))
}

func (k keys) mac(secret setting.Secret, method, path, stamp string, body []byte) []byte {
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	// No part can contain a line break, so no two requests have the same text: the method and the time are checked, paths
	// come from the mux, the rest is hex.
	_, _ = fmt.Fprintf(mac, "orderledger.peer.v1\n%s\n%s\n%s\n%s\n%x", k.cluster, method, path, stamp, sum)
	return mac.Sum(nil)
}

// checkTime checks the time of a request. It needs no body, so strangers do not make us read one.
func (k keys) checkTime(h http.Header, now time.Time) error {
	stamp, signature := h.Get(headerTime), h.Get(headerSignature)
	if stamp == "" || signature == "" {
		return fmt.Errorf("%w: the headers %s and %s are needed", errUnsigned, headerTime, headerSignature)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: %s is not in seconds since 1970", errUnsigned, headerTime)
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > clockWindow || off < -clockWindow {
		return fmt.Errorf("%w: the request is of %s and this instance's clock says %s, more than %s apart: "+
			"compare the clocks of the two machines", errOld,
			time.Unix(seconds, 0).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), clockWindow)
	}
	return nil
}

// checkSignature checks the signature. It tries all secrets, so that its duration does not reveal which one matched.
func (k keys) checkSignature(h http.Header, method, path string, body []byte) error {
	got, err := hex.DecodeString(h.Get(headerSignature))
	ok := false
	for _, secret := range k.secrets {
		if hmac.Equal(got, k.mac(secret, method, path, h.Get(headerTime), body)) {
			ok = true
		}
	}
	if err != nil || !ok {
		return fmt.Errorf("%w: the signature is not made with a secret of this instance, for this ledger and this body",
			errWrong)
	}
	return nil
}

// refusalLabel returns the label of a refusal.
func refusalLabel(err error) string {
	for _, known := range []error{errUnsigned, errOld, errWrong} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "unreadable"
}
