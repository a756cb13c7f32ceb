package setting

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"syscall"
)

// Advice says what to do about a connection error. The variables of the server begin with prefix. Empty means that
// there is nothing to add to the error.
func Advice(err error, prefix string) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		header   tls.RecordHeaderError
		dns      *net.DNSError
	)
	switch {
	case errors.As(err, &unknown):
		return "set " + prefix + "_TLS_CA to a PEM file of the authority that signed the server's certificate"
	case errors.As(err, &hostname):
		return "use a name of the server that its certificate has, or set " + prefix + "_TLS_SERVER_NAME to one"
	case errors.As(err, &invalid):
		return "renew the server's certificate, or correct the clock of this machine"
	case errors.As(err, &header):
		return "the server does not speak TLS on this port: use its TLS port, or unset " + prefix + "_TLS"
	case isAlert(err):
		return "the server refused the TLS handshake: if it requires a client certificate, set " + prefix + "_TLS_CERT and " +
			prefix + "_TLS_KEY to one that it trusts"
	case errors.As(err, &dns):
		return "the name can't be resolved: correct it, or the name server of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the server, or correct the address"
	case IsTimeout(err):
		return "no answer in time: is the address right, does a firewall drop the packets, does the port require TLS (" +
			prefix + "_TLS)?"
	}
	return ""
}

// ListenAdvice says what to do when a program can't listen on an address.
func ListenAdvice(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the program that uses the address, or choose another"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine does not have the address: choose one that it has, such as 127.0.0.1"
	case errors.Is(err, syscall.EACCES):
		return "the user of the program may not use this port: choose one above 1023, or give it the right"
	case errors.As(err, &dns):
		return "the name can't be resolved: choose an address of this machine, such as 127.0.0.1"
	}
	return "want host:port with an address of this machine"
}

// Misfit reports whether the error comes from the TLS settings of either end, so that trying again can't help.
func Misfit(err error) bool {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		header   tls.RecordHeaderError
	)
	return errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid) || errors.As(err,
		&header) || isAlert(err)
}

// isAlert reports whether the other end sent a TLS alert, for which crypto/tls has no type but this operation.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// IsTimeout reports whether the other end did not answer in time.
func IsTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err,
		&n) && n.Timeout()
}
