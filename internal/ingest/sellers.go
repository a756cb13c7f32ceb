package ingest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// SellersConfig says who the sellers are.
type SellersConfig struct {
	// Sellers are the known ones.
	Sellers []Seller
	// Default is the policy of every other seller.
	Default SellerPolicy
	// Strict refuses notifications for sellers that are not listed. Otherwise they are taken, under Default.
	Strict bool
}

// Seller is one tenant.
type Seller struct {
	// ID is the marketplace's.
	ID string `json:"id"`
	// Token and Tokens are the bearer tokens that speak for it; none means that it can't call.
	Token  string   `json:"token,omitempty"`
	Tokens []string `json:"tokens,omitempty"`
	SellerPolicy
	// AppID and NotificationSecret check the signature of its notifications; an empty secret checks nothing.
	AppID              string `json:"appId,omitempty"`
	NotificationSecret string `json:"notificationSecret,omitempty"`
	// URL is what its notifications are signed for, query included. Empty means Config.PublicURL and the request's path.
	URL string `json:"url,omitempty"`
	// Locations are the places it sends from.
	Locations []marketplace.Location `json:"locations,omitempty"`
	// GSTIN and Name are printed on its documents.
	GSTIN string `json:"gstin,omitempty"`
	Name  string `json:"name,omitempty"`
}

// SellerPolicy is how a seller's shipments are judged.
type SellerPolicy struct {
	// Own says that this system is the seller's marketplace: it packs. False means that facts come from outside.
	Own bool `json:"own,omitempty"`
	// Fulfilment is "standard" or "self_ship", for shipments that do not say. Empty means standard.
	Fulfilment string `json:"fulfilment,omitempty"`
	// PackWithinSeconds is when labels are due after they were asked for. Zero means 30 minutes.
	PackWithinSeconds int `json:"packWithinSeconds,omitempty"`
	// ReversePickupDays is when the pickup of an approved self-ship return is due. Zero means never.
	ReversePickupDays int `json:"reversePickupDays,omitempty"`
	// AbsoluteCancellations reads cancelled quantities as totals.
	AbsoluteCancellations bool `json:"absoluteCancellations,omitempty"`
	// CancelledBy maps reasons to "seller", "customer" or "marketplace". Nil means the reasons that are known.
	CancelledBy map[string]string `json:"cancelledBy,omitempty"`
}

// UnmarshalSellers reads a sellers file: a JSON array of sellers. Unknown members are refused, because a misspelt one
// would silently grant or deny something.
func UnmarshalSellers(data []byte) ([]Seller, error) {
	var sellers []Seller
	dec := json.NewDecoder(newReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sellers); err != nil {
		return nil, fmt.Errorf("sellers: %w", err)
	}
	return sellers, nil
}

// Validate returns all problems, joined.
func (c SellersConfig) Validate() error {
	problems := []error{c.Default.validate("default")}
	ids, tokens := map[string]bool{}, map[string]string{}
	for i, s := range c.Sellers {
		switch {
		case s.ID == "":
			problems = append(problems, fmt.Errorf("seller %d: an id is needed", i))
		case ids[s.ID]:
			problems = append(problems, fmt.Errorf("seller %s: listed twice", s.ID))
		}
		ids[s.ID] = true
		for _, token := range s.allTokens() {
			if owner, taken := tokens[token]; taken && owner != s.ID {
				problems = append(problems, fmt.Errorf("seller %s: a token of seller %s", s.ID, owner))
			}
			tokens[token] = s.ID
		}
		problems = append(problems, s.validate(s.ID))
	}
	return errors.Join(problems...)
}

func (s *Seller) allTokens() []string {
	tokens := s.Tokens
	if s.Token != "" {
		tokens = append([]string{s.Token}, tokens...)
	}
	return tokens
}

func (p SellerPolicy) validate(who string) error {
	var problems []error
	switch p.Fulfilment {
	case "", "standard", "self_ship":
	default:
		problems = append(problems, fmt.Errorf("seller %s: fulfilment %q: want standard or self_ship", who, p.Fulfilment))
	}
	if p.PackWithinSeconds < 0 || p.ReversePickupDays < 0 {
		problems = append(problems, fmt.Errorf("seller %s: packWithinSeconds and reversePickupDays: want 0 or more", who))
	}
	for reason, by := range p.CancelledBy {
		if _, ok := cancellers()[by]; !ok {
			problems = append(problems, fmt.Errorf("seller %s: reason %s is cancelled by %q: want seller, customer or marketplace", who, reason, by))
		}
	}
	return errors.Join(problems...)
}

func cancellers() map[string]ledgerv1.CancelledBy {
	return map[string]ledgerv1.CancelledBy{
		"seller":      ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
		"customer":    ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"marketplace": ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE,
	}
}

// knownReasons are the reasons that the marketplace was seen to send.
func knownReasons() map[string]ledgerv1.CancelledBy {
	return map[string]ledgerv1.CancelledBy{
		"seller_cancellation":      ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
		"order_cancelled":          ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"cancellation_requested":   ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"buyer_cancellation":       ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"marketplace_cancellation": ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE,
	}
}

func (p SellerPolicy) policy() shipment.Policy {
	out := shipment.Policy{
		Own:                   p.Own,
		Fulfilment:            ledgerv1.Fulfilment_FULFILMENT_STANDARD,
		PackWithin:            30 * time.Minute,
		ReversePickupWithin:   time.Duration(p.ReversePickupDays) * 24 * time.Hour,
		AbsoluteCancellations: p.AbsoluteCancellations,
		CancelledBy:           knownReasons(),
	}
	if p.Fulfilment == "self_ship" {
		out.Fulfilment = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP
	}
	if p.PackWithinSeconds > 0 {
		out.PackWithin = time.Duration(p.PackWithinSeconds) * time.Second
	}
	if p.CancelledBy != nil {
		out.CancelledBy = map[string]ledgerv1.CancelledBy{}
		for reason, by := range p.CancelledBy {
			out.CancelledBy[reason] = cancellers()[by]
		}
	}
	return out
}

// Sellers answers who may do what. It does not change once made.
type Sellers struct {
	strict   bool
	fallback shipment.Policy
	byID     map[string]*seller
	// byToken is keyed by digest, so that a look-up takes the same time whatever part of a guess is right.
	byToken map[[sha256.Size]byte]*seller
	// byApp finds the sellers whose notifications are signed by their application.
	byApp map[string]*seller
	// anySigned says that at least one seller's notifications must be signed.
	anySigned bool
}

type seller struct {
	Seller
	policy    shipment.Policy
	locations map[string]marketplace.Location
}

// NewSellers returns the directory of a valid configuration.
func NewSellers(c SellersConfig) *Sellers {
	s := &Sellers{
		strict: c.Strict, fallback: c.Default.policy(),
		byID: map[string]*seller{}, byToken: map[[sha256.Size]byte]*seller{}, byApp: map[string]*seller{},
	}
	for _, one := range c.Sellers {
		entry := &seller{Seller: one, policy: one.policy(), locations: map[string]marketplace.Location{}}
		for _, l := range one.Locations {
			entry.locations[l.ID] = l
		}
		s.byID[one.ID] = entry
		if one.NotificationSecret != "" {
			s.anySigned = true
			s.byApp[one.AppID] = entry
		}
		for _, token := range one.allTokens() {
			s.byToken[sha256.Sum256([]byte(token))] = entry
		}
	}
	return s
}

// Policy returns the policy of a seller. It is what journal.Deps.Policy wants.
func (s *Sellers) Policy(sellerID, _ string) shipment.Policy {
	if one := s.byID[sellerID]; one != nil {
		return one.policy
	}
	return s.fallback
}

// find returns a listed seller, or nil.
func (s *Sellers) find(sellerID string) *seller { return s.byID[sellerID] }

// authenticate returns the seller for whom a token speaks, or nil.
func (s *Sellers) authenticate(token string) *seller {
	return s.byToken[sha256.Sum256([]byte(token))]
}

// known reports whether notifications for a seller are taken.
func (s *Sellers) known(sellerID string) bool {
	return !s.strict || s.byID[sellerID] != nil
}
