package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Authority is a certificate authority for tests.
type Authority struct {
	// File holds the authority's own certificate, PEM.
	File string

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority returns an authority. Only those who are given its file trust it.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, File: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"},
		IsCA:    true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.write(a.File, "CERTIFICATE", a.cert.Raw)
	return a
}

// Issue writes a certificate for these names and addresses, with its key, to a PEM file and returns the file's name.
func (a *Authority) Issue(names ...string) string {
	a.t.Helper()
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	cert, key := a.sign(c)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	file := filepath.Join(a.t.TempDir(), "certificate.pem")
	a.write(file, "PRIVATE KEY", der)
	a.write(file, "CERTIFICATE", cert.Raw)
	return file
}

// Server returns the configuration of a server with a certificate for 127.0.0.1 and localhost. It checks clients'
// certificates against this authority if ClientAuth is set.
func (a *Authority) Server() *tls.Config {
	a.t.Helper()
	file := a.Issue("localhost", "127.0.0.1")
	cert, err := tls.LoadX509KeyPair(file, file)
	require.NoError(a.t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientCAs: pool}
}

// sign creates a key and a certificate for it. The authority's own certificate is signed by itself.
func (a *Authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(a.t, err)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert, key
}

func (a *Authority) write(file, kind string, der []byte) {
	a.t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(a.t, err)
	require.NoError(a.t, pem.Encode(f, &pem.Block{Type: kind, Bytes: der}))
	require.NoError(a.t, f.Close())
}
