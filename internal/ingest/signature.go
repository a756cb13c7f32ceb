package ingest

import (
	"crypto/sha1" //nolint:gosec // The marketplace's scheme; see verify.
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/sellers"
)

// Sign returns the signature of a notification: lower-case hex SHA-1 of the time in Unix seconds, the registered URL,
// the method and the secret. It does not cover the body: it proves that the sender knows the secret, and nothing about
// the body. TLS has to protect that.
func Sign(at time.Time, url, method, secret string) string {
	sum := sha1.Sum([]byte(strconv.FormatInt(at.Unix(), 10) + url + method + secret)) //nolint:gosec // As above.
	return hex.EncodeToString(sum[:])
}

// credentials are the headers of a signed notification.
type credentials struct {
	appID, signature string
	at               time.Time
}

// readCredentials reads the headers, spelled with underscores, as documented, or with hyphens, as they arrive behind
// proxies that drop the others. signed is false if there are none; detail says what is wrong with them.
func readCredentials(h http.Header) (c credentials, signed bool, detail string) {
	authorization := either(h, "X_Authorization", "X-Authorization")
	date := either(h, "X_Date", "X-Date")
	if authorization == "" && date == "" {
		return c, false, ""
	}
	scheme, encoded, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if !strings.EqualFold(scheme, "FKLOGIN") {
		return c, true, "X_Authorization: want FKLOGIN and base64 of appId:signature"
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return c, true, "X_Authorization: want base64 behind FKLOGIN"
	}
	// The signature has no colon; an application's id may have one.
	cut := strings.LastIndexByte(string(plain), ':')
	if cut < 0 {
		return c, true, "X_Authorization: want appId:signature in it"
	}
	c.appID, c.signature = string(plain[:cut]), strings.ToLower(string(plain[cut+1:]))
	// The documentation speaks of a date, and its signature is made with Unix seconds: senders may send either.
	if seconds, err := strconv.ParseInt(date, 10, 64); err == nil {
		c.at = time.Unix(seconds, 0)
	} else if c.at, err = http.ParseTime(date); err != nil {
		return c, true, "X_Date: want Unix seconds, or an HTTP date such as Sun, 06 Nov 1994 08:49:37 GMT"
	}
	return c, true, ""
}

// verify returns what is wrong with a signature by a seller's application for one URL; empty means that it is right.
func (c credentials) verify(s *sellers.Seller, url string, now time.Time, window time.Duration) string {
	want := Sign(c.at, url, http.MethodPost, s.NotificationSecret)
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return "the signature does not match: it must cover the X_Date in Unix seconds, " + url + ", POST and the secret"
	}
	if age := now.Sub(c.at); age > window || age < -window {
		return "X_Date is too far from now: the notification may be a replay"
	}
	return ""
}

func either(h http.Header, name, other string) string {
	if v := h.Get(name); v != "" {
		return v
	}
	return h.Get(other)
}

// signedURL returns the URL that a notification is signed for.
func (n *notifications) signedURL(s *sellers.Seller, r *http.Request) string {
	if s.URL != "" {
		return s.URL
	}
	if n.publicURL != "" {
		return strings.TrimRight(n.publicURL, "/") + r.URL.RequestURI()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}
