package sellers

import (
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// DefaultPackWithin is how long after a request for labels they are due, unless a seller has its own time.
const DefaultPackWithin = 30 * time.Minute

// PolicyConfig says how the ledger judges a seller's shipments.
type PolicyConfig struct {
	// Own says that this system is the seller's marketplace: it packs. False means that facts come from outside.
	Own bool `json:"own,omitempty"`
	// Fulfilment is "standard" or "self_ship", for shipments that do not say. Empty means standard.
	Fulfilment string `json:"fulfilment,omitempty"`
	// PackWithinSeconds is how long after a request for labels they are due, at most ten years. Zero means 30 minutes.
	PackWithinSeconds int `json:"packWithinSeconds,omitempty"`
	// ReversePickupDays is how many days after its approval a self-ship customer return is to be picked up, at most 3650.
	// Zero means 7.
	ReversePickupDays int `json:"reversePickupDays,omitempty"`
	// AbsoluteCancellations reads cancelled quantities as totals.
	AbsoluteCancellations bool `json:"absoluteCancellations,omitempty"`
	// CancelledBy maps reasons to "seller", "customer" or "marketplace", in addition to the marketplace's usual reasons.
	CancelledBy map[string]string `json:"cancelledBy,omitempty"`
}

// The ledger takes no promise further ahead than ten years, whoever makes it. Without a bound, a number of days that
// somebody mistyped would overflow and be due in the past.
const (
	maxDays    = 3650
	maxSeconds = maxDays * 24 * 60 * 60
)

func (p PolicyConfig) validate(who string) error {
	var problems []error
	if err := CheckFulfilment(p.Fulfilment); err != nil {
		problems = append(problems, fmt.Errorf("seller %s: %w", who, err))
	}
	for _, n := range []struct {
		name        string
		value, most int
	}{
		{"packWithinSeconds", p.PackWithinSeconds, maxSeconds}, {"reversePickupDays", p.ReversePickupDays, maxDays},
	} {
		if n.value < 0 || n.value > n.most {
			problems = append(problems, fmt.Errorf("seller %s: %s is %d: want 0 to %d", who, n.name, n.value, n.most))
		}
	}
	for reason, by := range p.CancelledBy {
		if _, ok := cancellers()[by]; !ok {
			problems = append(problems, fmt.Errorf("seller %s: reason %s is cancelled by %q: "+
				"want seller, customer or marketplace", who, reason, by))
		}
	}
	return errors.Join(problems...)
}

// fulfilments are the flows by their names in the configuration. Empty means the default.
func fulfilments() map[string]ledgerv1.Fulfilment {
	return map[string]ledgerv1.Fulfilment{
		"":          ledgerv1.Fulfilment_FULFILMENT_STANDARD,
		"standard":  ledgerv1.Fulfilment_FULFILMENT_STANDARD,
		"self_ship": ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP,
	}
}

// CheckFulfilment returns an error unless the name is that of a flow, or empty.
func CheckFulfilment(name string) error {
	if _, ok := fulfilments()[name]; !ok {
		return fmt.Errorf("fulfilment %q: want standard or self_ship", name)
	}
	return nil
}

func cancellers() map[string]ledgerv1.CancelledBy {
	return map[string]ledgerv1.CancelledBy{
		"seller":      ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
		"customer":    ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"marketplace": ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE,
	}
}

// usualReasons are reasons found in real notifications of the marketplace.
func usualReasons() map[string]ledgerv1.CancelledBy {
	return map[string]ledgerv1.CancelledBy{
		"seller_cancellation":      ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
		"order_cancelled":          ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"cancellation_requested":   ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"buyer_cancellation":       ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER,
		"marketplace_cancellation": ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE,
	}
}

func (p PolicyConfig) policy() shipment.Policy {
	out := shipment.Policy{
		Own:                   p.Own,
		Fulfilment:            fulfilments()[p.Fulfilment],
		PackWithin:            DefaultPackWithin,
		ReversePickupWithin:   7 * 24 * time.Hour,
		AbsoluteCancellations: p.AbsoluteCancellations,
		CancelledBy:           usualReasons(),
	}
	if p.PackWithinSeconds > 0 {
		out.PackWithin = time.Duration(min(p.PackWithinSeconds, maxSeconds)) * time.Second
	}
	if p.ReversePickupDays > 0 {
		out.ReversePickupWithin = time.Duration(min(p.ReversePickupDays, maxDays)) * 24 * time.Hour
	}
	for reason, by := range p.CancelledBy {
		out.CancelledBy[reason] = cancellers()[by]
	}
	return out
}
