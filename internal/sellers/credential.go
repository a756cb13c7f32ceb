package sellers

import (
	"slices"
	"strings"
)

// tokenPrefix begins the names of notification tokens.
const tokenPrefix = "token/"

// Credential proves that a notification comes from the marketplace of its sellers: an application that signs, or a
// notification token.
type Credential struct {
	// Name is "app/" with the application's id, or "token/" with the start of the token's digest. It is no secret.
	Name string

	sellers []*Seller
	ids     []string
}

// and returns the credential with another seller. c may be nil, for none yet.
func (c *Credential) and(name string, s *Seller) *Credential {
	if c == nil {
		c = &Credential{Name: name}
	}
	if !c.Includes(s.ID) {
		c.sellers, c.ids = append(c.sellers, s), append(c.ids, s.ID)
	}
	return c
}

// IsToken reports whether it is a notification token; false for nil.
func (c *Credential) IsToken() bool { return c != nil && strings.HasPrefix(c.Name, tokenPrefix) }

// Sellers returns the sellers that the credential speaks for, at least one. The caller must not change the list.
func (c *Credential) Sellers() []*Seller { return c.sellers }

// IDs returns the ids of Sellers. The caller must not change the list.
func (c *Credential) IDs() []string { return c.ids }

// Includes reports whether the credential speaks for a seller.
func (c *Credential) Includes(sellerID string) bool { return slices.Contains(c.ids, sellerID) }

// Only returns the id of its seller if there is one only, else nothing.
func (c *Credential) Only() string {
	if len(c.ids) == 1 {
		return c.ids[0]
	}
	return ""
}
