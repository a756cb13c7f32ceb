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
)

// Sign returns the signature of a notification: lower-case hex SHA-1 of the time in Unix seconds, the registered URL,
// the method and the secret. It covers no byte of the body: it proves that the sender knows the secret, not what it
// said. TLS does the rest.
func Sign(at time.Time, url, method, secret string) string {
	sum := sha1.Sum([]byte(strconv.FormatInt(at.Unix(), 10) + url + method + secret)) //nolint:gosec // As above.
	return hex.EncodeToString(sum[:])
}

// credentials are what the headers of a signed notification say.
type credentials struct {
	appID, signature string
	at               time.Time
}

// readCredentials reads the headers, in the spelling with underscores, as documented, or with hyphens, as they arrive
// behind proxies that drop the others. signed is false where there are none.
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
	// The docs say a date and the signature is made with Unix seconds: either form may be sent.
	if seconds, err := strconv.ParseInt(date, 10, 64); err == nil {
		c.at = time.Unix(seconds, 0)
	} else if c.at, err = http.ParseTime(date); err != nil {
		return c, true, "X_Date: want an HTTP date"
	}
	return c, true, ""
}

// verify says what is wrong with a signature; empty means that it is right.
func (c credentials) verify(s *seller, url string, now time.Time, window time.Duration) string {
	if s.AppID != "" && c.appID != s.AppID {
		return "the application is not the seller's"
	}
	want := Sign(c.at, url, http.MethodPost, s.NotificationSecret)
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return "the signature does not match"
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

// authenticate finds out for which seller a notification is, and checks its signature where one is needed. path is the
// seller in the URL, told that in the body.
//
// A notification that names no seller must be signed as soon as any seller's must be: else nobody's facts were safe.
func (g *Ingest) authenticate(r *http.Request, path, told string) (sellerID string, p *problem) {
	sellerID = told
	if path != "" {
		sellerID = path
		if told != "" && told != path {
			return "", newProblem(problemUnknownSeller, "the URL names one seller and the body another")
		}
	}
	c, signed, detail := readCredentials(r.Header)
	who := g.sellers.find(sellerID)
	if sellerID == "" && g.sellers.anySigned {
		if !signed || detail != "" {
			return "", newProblem(problemBadSignature, "it names no seller, so it must be signed: "+detail)
		}
		if who = g.sellers.byApp[c.appID]; who == nil {
			return "", newProblem(problemBadSignature, "the application is not known")
		}
		sellerID = who.ID
	}
	if who != nil && who.NotificationSecret != "" {
		switch {
		case !signed:
			return "", newProblem(problemBadSignature, "the headers X_Date and X_Authorization are needed")
		case detail == "":
			detail = c.verify(who, g.signedURL(who, r), g.now(), g.cfg.SignatureWindow)
		}
		if detail != "" {
			return "", newProblem(problemBadSignature, detail)
		}
	}
	if sellerID != "" && !g.sellers.known(sellerID) {
		return "", newProblem(problemUnknownSeller, "no seller of this id is configured")
	}
	return sellerID, nil
}

// signedURL is the URL that a notification is signed for: the registered one.
func (g *Ingest) signedURL(s *seller, r *http.Request) string {
	if s.URL != "" {
		return s.URL
	}
	if g.cfg.PublicURL != "" {
		return strings.TrimRight(g.cfg.PublicURL, "/") + r.URL.RequestURI()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}
