package clickhouse

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// authenticate checks a user and password against the configured ones, in time that tells nothing about them. An empty
// user means "default", as with any ClickHouse.
func (s *Server) authenticate(user, password string) error {
	if user == "" {
		user = "default"
	}
	if same(user, s.cfg.User)&same(password, s.cfg.Password) == 1 {
		return nil
	}
	return refuse(codeAuthentication, fmt.Sprintf(
		"Code: 516. DB::Exception: %s: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)", user))
}

func same(a, b string) int {
	// Hashes have one length, so the comparison does not give away the length of the secret either.
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
