package sellers

import (
	"crypto/sha256"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Directory looks sellers up. It never changes, so many goroutines may use it.
type Directory struct {
	strict   bool
	fallback shipment.Policy // Of sellers that are not listed.
	policies map[string]shipment.Policy
	byID     map[string]*Seller
	// byToken is keyed by digest, so that a look-up takes the same time whatever part of a guess is right.
	byToken map[[sha256.Size]byte]*Seller
	byApp   map[string]*Seller // Only sellers whose notifications must be signed.
}

// New returns the directory of a valid configuration.
func New(c Config) *Directory {
	d := &Directory{
		strict: c.Strict, fallback: c.Default.policy(), policies: map[string]shipment.Policy{},
		byID: map[string]*Seller{}, byToken: map[[sha256.Size]byte]*Seller{}, byApp: map[string]*Seller{},
	}
	for _, one := range c.Sellers {
		s := &one
		d.byID[s.ID], d.policies[s.ID] = s, s.policy()
		if s.NotificationSecret != "" {
			d.byApp[s.AppID] = s
		}
		for _, token := range s.allTokens() {
			d.byToken[sha256.Sum256([]byte(token))] = s
		}
	}
	return d
}

// Find returns a listed seller, or nil.
func (d *Directory) Find(sellerID string) *Seller { return d.byID[sellerID] }

// FindByApp returns the seller whose notifications an application signs, or nil.
func (d *Directory) FindByApp(appID string) *Seller { return d.byApp[appID] }

// Authenticate returns the seller that a token belongs to, or nil.
func (d *Directory) Authenticate(token string) *Seller {
	return d.byToken[sha256.Sum256([]byte(token))]
}

// Policy returns the policy of a seller. It has the form of journal.Deps.Policy; no policy differs by location yet.
func (d *Directory) Policy(sellerID, _ string) shipment.Policy {
	if p, listed := d.policies[sellerID]; listed {
		return p
	}
	return d.fallback
}

// Accepts reports whether notifications for a seller are accepted.
func (d *Directory) Accepts(sellerID string) bool { return !d.strict || d.byID[sellerID] != nil }

// Signs reports whether the notifications of at least one seller must be signed.
func (d *Directory) Signs() bool { return len(d.byApp) > 0 }
