package clickhouse

import (
	"crypto/sha256"
	"crypto/subtle"
)

// authenticate compares a user and password with the configured ones in constant time. An empty user means "default",
// as in ClickHouse.
func (s *Server) authenticate(user, password string) error {
	if user == "" {
		user = "default"
	}
	if same(user, s.cfg.User)&same(password, s.cfg.Password) == 1 {
		return nil
	}
	return refuse(codeAuthentication,
		"%s: Authentication failed: password is incorrect, or there is no user with such name", user)
}

func same(a, b string) int {
	// Hashes have one length, so that the time does not depend on the length of the secret either.
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
