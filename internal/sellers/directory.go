package sellers

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/orderledger/orderledger/internal/shipment"
)

// Directory looks sellers up. It never changes, so many goroutines may use it; Live replaces it as a whole.
type Directory struct {
	open     bool
	fallback shipment.Policy // Of sellers that are not listed.
	policies map[string]shipment.Policy
	byID     map[string]*Seller
	// byToken is keyed by digest, so that a look-up takes the same time whatever part of a guess is right.
	byToken map[digest]*Seller
	// The credentials of notifications.
	byApp               map[string]*Credential
	byNotificationToken map[digest]*Credential
}

type digest = [sha256.Size]byte

// New returns the directory of a valid configuration.
func New(c Config) *Directory {
	d := &Directory{
		open: c.Open, fallback: c.Default.policy(), policies: map[string]shipment.Policy{},
		byID: map[string]*Seller{}, byToken: map[digest]*Seller{},
		byApp: map[string]*Credential{}, byNotificationToken: map[digest]*Credential{},
	}
	for _, one := range c.Sellers {
		s := &one
		d.byID[s.ID], d.policies[s.ID] = s, s.policy()
		for _, token := range s.allTokens() {
			d.byToken[sha256.Sum256([]byte(token))] = s
		}
		if s.AppID != "" {
			d.byApp[s.AppID] = d.byApp[s.AppID].and("app/"+s.AppID, s)
		}
		for _, token := range s.allNotificationTokens() {
			sum := sha256.Sum256([]byte(token))
			d.byNotificationToken[sum] = d.byNotificationToken[sum].and(tokenPrefix+hex.EncodeToString(sum[:4]), s)
		}
	}
	return d
}

// Find returns a listed seller, or nil.
func (d *Directory) Find(sellerID string) *Seller { return d.byID[sellerID] }

// App returns the credential of an application that signs notifications, or nil.
func (d *Directory) App(appID string) *Credential { return d.byApp[appID] }

// NotificationToken returns the credential that is a notification token, or nil.
func (d *Directory) NotificationToken(token string) *Credential {
	return d.byNotificationToken[sha256.Sum256([]byte(token))]
}

// credentials returns all credentials, by name.
func (d *Directory) credentials() []*Credential {
	all := slices.AppendSeq(slices.Collect(maps.Values(d.byApp)), maps.Values(d.byNotificationToken))
	slices.SortFunc(all, func(a, b *Credential) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Authenticate returns the seller that a token belongs to, or nil.
func (d *Directory) Authenticate(token string) *Seller {
	return d.byToken[sha256.Sum256([]byte(token))]
}

// Policy returns the policy of a seller at one of its locations. It has the form of journal.Deps.Policy. A setting of
// the location holds before the seller's.
func (d *Directory) Policy(sellerID, locationID string) shipment.Policy {
	p, listed := d.policies[sellerID]
	if !listed {
		return d.fallback
	}
	if at := d.byID[sellerID].location(locationID); at.Fulfilment != "" {
		p.Fulfilment = fulfilments()[at.Fulfilment]
	}
	return p
}

// Open reports whether notifications without a credential are accepted, except for protected sellers.
func (d *Directory) Open() bool { return d.open }

// Protected reports whether notifications for a seller always need a credential: it is listed with one.
func (d *Directory) Protected(sellerID string) bool {
	s := d.byID[sellerID]
	return s != nil && (s.AppID != "" || len(s.allNotificationTokens()) > 0)
}

// Protects reports whether at least one seller is protected. Without one, a directory that is not open refuses all
// notifications.
func (d *Directory) Protects() bool { return len(d.byApp) > 0 || len(d.byNotificationToken) > 0 }
