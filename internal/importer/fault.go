package importer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// FaultError is a fault that concerns every line: of the address, the credential or the certificate. A repeat of the
// line, and every line behind it, would fail in the same way.
type FaultError struct {
	// URL is what was requested.
	URL string
	// Says is what happened; Remedy is what to do about it.
	Says, Remedy string
	// Err is the error of the connection, if there was no answer.
	Err error
}

func (e *FaultError) Error() string {
	says := e.Says
	if e.Err != nil {
		says += ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s: %s (%s)", e.URL, says, e.Remedy)
}

func (e *FaultError) Unwrap() error { return e.Err }

// unknownName reports whether the name of the host was not found.
func (e *FaultError) unknownName() bool {
	var name *net.DNSError
	return errors.As(e, &name) && name.IsNotFound
}

// connectionFault returns the fault that an error of a request names, or nil if a repeat may succeed. A name that is
// not found is a fault only if the service has never answered: name servers forget a container while it restarts.
func connectionFault(target string, err error, answered bool) *FaultError {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err // The fault has the URL.
	}
	var (
		name        *net.DNSError
		address     *net.AddrError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
	)
	fault := func(says, remedy string) *FaultError {
		return &FaultError{URL: target, Says: says, Remedy: remedy, Err: err}
	}
	switch {
	case errors.As(err, &name) && name.IsNotFound && !answered:
		return fault("the host name is unknown", "is the URL right?")
	case errors.As(err, &address):
		return fault("the address is not valid", "is the URL right?")
	case errors.As(err, &certificate):
		return fault("the certificate of the service is not accepted",
			"SSL_CERT_FILE names a file with the authority that signed it")
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return fault("the service does not speak TLS on this port", "use http:// instead of https://, or the port of TLS")
	case errors.As(err, &alert):
		return fault("the service refused the TLS connection", "does it ask for a client certificate?")
	// net/http has no type for this. A server that expects TLS answers plain text with an alert, which begins so.
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`):
		return fault("the service speaks TLS on this port", "use https:// instead of http://")
	case !answered && strings.Contains(err.Error(), "malformed HTTP "): // Neither has it a type for these.
		return fault("the server does not speak HTTP on this port", "is the URL the base URL of ingest?")
	}
	return nil
}

// problemPrefix begins the type of every problem document of a ledger.
const problemPrefix = "urn:orderledger:problem:"

// answerFault returns the fault that an answer names, or nil if it concerns this one line, or if a repeat may succeed.
// An answer that no ledger gives comes from something else at this address.
func answerFault(target string, a answer) *FaultError {
	kind, ofLedger := strings.CutPrefix(a.problem, problemPrefix)
	says := fmt.Sprintf("status %d %s", a.status, http.StatusText(a.status))
	if a.reason != "" {
		says += ": " + a.reason
	}
	fault := func(remedy string) *FaultError { return &FaultError{URL: target, Says: says, Remedy: remedy} }
	const wrongAddress = "this answer is not that of a ledger: is the URL the base URL of ingest?"
	switch {
	case a.status == http.StatusOK && !a.accepted:
		return fault(wrongAddress)
	case a.status == http.StatusOK, again(a.status):
		return nil
	case a.status == http.StatusUnauthorized:
		return fault("the service does not accept the token: is it the right one for these lines?")
	case a.status == http.StatusForbidden:
		return fault("something in front of the service refuses access")
	case a.location != "":
		return fault("the service redirects to " + a.location + ": use that address")
	case ofLedger && kind != "not_found" && kind != "method_not_allowed":
		return nil // It concerns the line.
	case a.status == http.StatusRequestEntityTooLarge:
		return nil // Also what a proxy answers to a long line.
	case a.status == http.StatusBadRequest && strings.Contains(strings.ToLower(a.reason), "https"):
		return fault("use https:// instead of http://") // The words of net/http and of nginx.
	}
	return fault(wrongAddress)
}

// again reports whether a repeated request may get another status. 501 and 505 say that the server can't do this.
func again(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}
