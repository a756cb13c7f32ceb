package setting_test

import (
	"crypto/tls"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// greeter is a TLS server that sends each client the name in its certificate.
func greeter(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	return netfault.Serve(t, func(conn net.Conn) {
		c := tls.Server(conn, cfg)
		if c.HandshakeContext(t.Context()) != nil {
			return
		}
		name := "nobody"
		if peers := c.ConnectionState().PeerCertificates; len(peers) > 0 {
			name = peers[0].Subject.CommonName
		}
		_, _ = c.Write([]byte(name))
		_ = c.Close()
	})
}

func dial(t *testing.T, cfg setting.TLS, addr string) (string, error) {
	t.Helper()
	conn, err := cfg.Dialer(new(net.Dialer).DialContext, "X")(t.Context(), "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	name := make([]byte, 100)
	n, err := conn.Read(name)
	return string(name[:n]), err
}

func TestTLSTrustsAConfiguredAuthority(t *testing.T) {
	t.Parallel()
	ours, theirs := testkit.NewAuthority(t), testkit.NewAuthority(t)
	addr := greeter(t, ours.Server())
	got, err := dial(t, setting.TLS{On: true, CAFile: ours.File}, addr)
	require.NoError(t, err)
	require.Equal(t, "nobody", got)

	for name, c := range map[string]struct {
		cfg    setting.TLS
		advice string
	}{
		"another authority":   {setting.TLS{On: true, CAFile: theirs.File}, "X_TLS_CA"},
		"those of the system": {setting.TLS{On: true}, "X_TLS_CA"},
		"another name":        {setting.TLS{On: true, CAFile: ours.File, ServerName: "broker.example"}, "X_TLS_SERVER_NAME"},
	} {
		_, err := dial(t, c.cfg, addr)
		require.Error(t, err, name)
		require.Contains(t, setting.Advice(err, "X"), c.advice, "%s: %v", name, err)
		require.True(t, setting.Misfit(err), name)
	}
}

func TestTLSReloadsARenewedCertificate(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	server := ca.Server()
	server.ClientAuth = tls.RequireAndVerifyClientCert
	addr := greeter(t, server)
	file := ca.Issue("first")
	cfg := setting.TLS{On: true, CAFile: ca.File, CertFile: file, KeyFile: file}
	dialer := cfg.Dialer(new(net.Dialer).DialContext, "X")
	name := func() string {
		conn, err := dialer(t.Context(), "tcp", addr)
		require.NoError(t, err)
		defer conn.Close()
		got := make([]byte, 100)
		n, err := conn.Read(got)
		require.NoError(t, err)
		return string(got[:n])
	}
	require.Equal(t, "first", name())
	renewed, err := os.ReadFile(ca.Issue("second"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, renewed, 0o600))
	require.Equal(t, "second", name())

	_, err = dial(t, setting.TLS{On: true, CAFile: ca.File}, addr)
	require.Error(t, err, "without a certificate the server closes the connection")
	require.Contains(t, setting.Advice(err, "X"), "X_TLS_CERT")
}

func TestAdviceNamesAPlaintextServer(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	_, err = dial(t, setting.TLS{On: true}, ln.Addr().String())
	require.Contains(t, setting.Advice(err, "X"), "does not speak TLS")
}

func TestTLSReportsAllFileProblems(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	require.NoError(t, setting.TLS{}.Validate("X"))
	require.NoError(t, setting.TLS{On: true, CAFile: ca.File}.Validate("X"))
	for want, cfg := range map[string]setting.TLS{
		"X_TLS_CA: it is set, but TLS is off: set X_TLS to true": {CAFile: ca.File},
		"X_TLS_CA: open /not/there":                              {On: true, CAFile: "/not/there"},
		"X_TLS_CA: /dev/null has no certificate":                 {On: true, CAFile: os.DevNull},
		"X_TLS_KEY: it is needed too, because X_TLS_CERT is set": {On: true, CertFile: ca.File},
		"X_TLS_CERT: certificate":                                {On: true, CertFile: ca.File, KeyFile: ca.File},
	} {
		require.ErrorContains(t, cfg.Validate("X"), want)
	}
}
