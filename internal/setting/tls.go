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
	r.Truth(prefix+"_TLS", &t.On)
	r.Text(prefix+"_TLS_CA", &t.CAFile)
	r.Text(prefix+"_TLS_CERT", &t.CertFile)
	r.Text(prefix+"_TLS_KEY", &t.KeyFile)
	r.Text(prefix+"_TLS_SERVER_NAME", &t.ServerName)
}

// Validate reads the files and returns all problems, joined.
func (t TLS) Validate() error {
	if !t.On {
		// An operator who names a file expects TLS; plain text would be a surprise.
		if t.CAFile+t.CertFile+t.KeyFile+t.ServerName != "" {
			return errors.New("tls: a certificate or a server name is set, but TLS is off: set …_TLS to true, or unset them")
		}
		return nil
	}
	_, err := t.config()
	return err
}

func (t TLS) config() (*tls.Config, error) {
	var problems []error
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		cfg.RootCAs = x509.NewCertPool()
		pem, err := os.ReadFile(filepath.Clean(t.CAFile))
		if err != nil {
			problems = append(problems, fmt.Errorf("tls authorities: %w", err))
		} else if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			problems = append(problems, fmt.Errorf("tls authorities: %s has no certificate: want PEM", t.CAFile))
		}
	}
	switch {
	case t.CertFile != "" && t.KeyFile != "":
		own, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			problems = append(problems, fmt.Errorf("tls certificate %s with key %s: %w", t.CertFile, t.KeyFile, err))
		}
		cfg.Certificates = []tls.Certificate{own}
	case t.CertFile != t.KeyFile:
		problems = append(problems, errors.New("tls certificate: both a certificate and its key are needed"))
	}
	return cfg, errors.Join(problems...)
}

// Dialer opens a connection.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Dialer returns a dialer that runs TLS over the connections of dial, or dial itself when TLS is off. It reads the
// files for each connection, so that the next connection uses a renewed certificate.
func (t TLS) Dialer(dial Dialer) Dialer {
	if !t.On {
		return dial
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		cfg, err := t.config()
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
