package setting

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// TLS configures how connections to a server are encrypted.
type TLS struct {
	// On turns TLS on. False means plain TCP.
	On bool
	// CAFile is a PEM file with the certificate authorities to trust. Empty means those of the system.
	CAFile string
	// CertFile and KeyFile are PEM files with the client certificate and its key. Empty means none.
	CertFile, KeyFile string
	// ServerName is the name that the server's certificate must have. Empty means the host of the address.
	ServerName string
}

// Read reads the variables of a server, whose names begin with prefix: prefix_TLS, prefix_TLS_CA, prefix_TLS_CERT,
// prefix_TLS_KEY and prefix_TLS_SERVER_NAME.
func (t *TLS) Read(r *Reader, prefix string) {
	r.Truth(prefix+"_TLS", &t.On, "`true` encrypts the connections")
	r.Text(prefix+"_TLS_CA", &t.CAFile,
		"PEM file of the authorities that sign the servers' certificates. None: those of the system")
	r.Text(prefix+"_TLS_CERT", &t.CertFile, "PEM file of the program's own certificate, if the servers require one")
	r.Text(prefix+"_TLS_KEY", &t.KeyFile, "PEM file of the key of that certificate")
	r.Text(prefix+"_TLS_SERVER_NAME", &t.ServerName,
		"name that the servers' certificates must have. None: the host of the address")
}

// Validate reads the files and returns all problems, joined. They name the variables, which begin with prefix.
func (t TLS) Validate(prefix string) error {
	if t.On {
		_, err := t.config(prefix)
		return err
	}
	// An operator who names a file expects TLS; plain text would be a surprise.
	var problems []error
	for _, v := range [][2]string{
		{"_CA", t.CAFile}, {"_CERT", t.CertFile}, {"_KEY", t.KeyFile}, {"_SERVER_NAME", t.ServerName},
	} {
		if v[1] != "" {
			problems = append(problems,
				Invalid(prefix+"_TLS"+v[0], "it is set, but TLS is off: set %s_TLS to true, or unset it", prefix))
		}
	}
	return errors.Join(problems...)
}

// config reads the files. The problems name the variables, which begin with prefix.
func (t TLS) config(prefix string) (*tls.Config, error) {
	var problems []error
	bad := func(name, format string, args ...any) {
		problems = append(problems, Invalid(prefix+"_TLS_"+name, format, args...))
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		cfg.RootCAs = x509.NewCertPool()
		pem, err := os.ReadFile(filepath.Clean(t.CAFile))
		if err != nil {
			bad("CA", "%w", err)
		} else if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			bad("CA", "%s has no certificate: want PEM", t.CAFile)
		}
	}
	switch {
	case t.CertFile != "" && t.KeyFile != "":
		own, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			bad("CERT", "certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{own}
	case t.CertFile != "":
		bad("KEY", "it is needed too, because %s_TLS_CERT is set", prefix)
	case t.KeyFile != "":
		bad("CERT", "it is needed too, because %s_TLS_KEY is set", prefix)
	}
	return cfg, errors.Join(problems...)
}

// Dialer opens a connection.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialer returns a dialer that runs TLS over the connections of dial, or dial itself when TLS is off. It reads the
// files for each connection, so that the next connection uses a renewed certificate. Problems with them name the
// variables, which begin with prefix.
func (t TLS) Dialer(dial Dialer, prefix string) Dialer {
	if !t.On {
		return dial
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		cfg, err := t.config(prefix)
		if err != nil {
			return nil, err
		}
		if cfg.ServerName == "" {
			if cfg.ServerName, _, err = net.SplitHostPort(addr); err != nil {
				return nil, err
			}
		}
		plain, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(plain, cfg)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("tls with %s: %w", addr, err), plain.Close())
		}
		return conn, nil
	}
}
