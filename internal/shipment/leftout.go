package shipment

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An order must not vanish for an optional field. Dates that no promise can have, and lines that make no sense beside
// good ones, are taken out of a fact before its rule sees it, and the decision names them. What is left is judged as a
// whole: a fact without a good line is quarantined by its rule.

// leaveOut notes a part of the input that the decision leaves out, and why.
func (x *decider) leaveOut(what string) {
	x.leftOut = append(x.leftOut, what)
}

// nameLeftOut names in the decision what was left out. Another reason stays: it matters more.
func (x *decider) nameLeftOut() {
	if len(x.leftOut) == 0 {
		return
	}
	x.d.LeftOut = x.leftOut
	if x.d.Reason == "" {
		x.d.Reason = ReasonLeftOut
		x.d.Message = x.subject() + " Applied without " + listLeftOut(x.leftOut) + "."
	}
}

// listLeftOut lists a few parts; the decision has the others.
func listLeftOut(parts []string) string {
	const most, size = 5, 200
	var b strings.Builder
	for i, part := range parts {
		if i == most {
			b.WriteString(" and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(strings.ToValidUTF8(part[:min(len(part), size)], ""))
	}
	return b.String()
}

// sensible returns a fact without the parts that make no sense. It does not change the fact that it gets.
func (x *decider) sensible(in Input) Input {
	switch f := in.(type) { //nolint:gochecksumtype // The others have no optional parts.
	case Created:
		return x.sensibleCreated(f)
	case DatesChanged:
		good := f
		some := x.keepDates(map[string]*time.Time{
			"dispatchAfterDate": &good.DispatchAfter, "dispatchByDate": &good.DispatchBy, "deliverByDate": &good.DeliverBy,
		})
		if !some {
			return f
		}
		return good
	case Cancelled:
		f.Items = keepGood(x, f.Items, func(l CancelledItem) (string, bool) {
			return "item " + l.OrderItemID + badUnits, l.Quantity > 0 && l.Quantity <= maxUnits
		})
		return f
	case ReturnReported:
		return x.sensibleReturn(f)
	case ReturnExpected:
		f.Lines = keepGood(x, f.Lines, func(l *ledgerv1.ReturnExpectedDate) (string, bool) {
			return "item " + l.GetOrderItemId() + ", expectedDate" + badDate, x.promisableStamp(l.GetExpectedDate())
		})
		return f
	}
	return in
}

// What is wrong with a part.
const (
	badDate  = ": before 1990 or more than ten years ahead"
	badUnits = ": an impossible number of units"
	badID    = ": an id that is missing, too long or repeated"
)

// keepGood returns the good lines of a fact, or all of them if none is good.
func keepGood[L any](x *decider, lines []L, judge func(L) (what string, good bool)) []L {
	if !slices.ContainsFunc(lines, func(l L) bool { _, good := judge(l); return !good }) ||
		!slices.ContainsFunc(lines, func(l L) bool { _, good := judge(l); return good }) {
		return lines
	}
	out := make([]L, 0, len(lines))
	for _, l := range lines {
		what, good := judge(l)
		if !good {
			x.leaveOut(what)
			continue
		}
		out = append(out, l)
	}
	return out
}

// keepDates clears the dates that are no promises, and reports whether one is left.
func (x *decider) keepDates(dates map[string]*time.Time) (some bool) {
	for _, name := range []string{"dispatchAfterDate", "dispatchByDate", "deliverByDate", "updatedAt"} {
		at := dates[name]
		if at == nil {
			continue
		}
		if !x.promisable(*at) {
			x.leaveOut(name + " " + at.Format(time.DateOnly) + badDate)
			*at = time.Time{}
		}
		some = some || !at.IsZero()
	}
	return some
}

// keepStamp returns a time of a message, or nil if it makes no sense.
func (x *decider) keepStamp(what string, t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if x.promisableStamp(t) {
		return t
	}
	x.leaveOut(what + badDate)
	return nil
}

func (x *decider) sensibleCreated(f Created) Created {
	x.keepDates(map[string]*time.Time{
		"dispatchAfterDate": &f.DispatchAfter, "dispatchByDate": &f.DispatchBy, "deliverByDate": &f.DeliverBy,
		"updatedAt": &f.MarketUpdatedAt,
	})
	if len(f.OrderID) > maxIDBytes {
		x.leaveOut("orderId: too long")
		f.OrderID = ""
	}
	seen := make(map[string]bool, len(f.Items))
	good := make([]CreatedItem, 0, len(f.Items))
	var bad []string
	for _, it := range f.Items {
		switch {
		case !goodID(it.OrderItemID) || seen[it.OrderItemID]:
			bad = append(bad, "item "+clip(it.OrderItemID)+badID)
			continue
		case it.Quantity == 0 || it.Quantity > maxUnits:
			bad = append(bad, "item "+it.OrderItemID+badUnits)
			continue
		}
		seen[it.OrderItemID] = true
		good = append(good, x.sensibleItem(it))
	}
	if len(bad) > 0 && len(good) > 0 {
		x.leftOut = append(x.leftOut, bad...)
	}
	if len(good) > 0 {
		f.Items = good
	}
	if slices.ContainsFunc(f.Services, func(v ActivateService) bool {
		return !goodID(v.ServiceID) || !x.promisable(v.DueAt)
	}) {
		f.Services = x.sensibleServices(f.Services)
	}
	return f
}

func (x *decider) sensibleItem(it CreatedItem) CreatedItem {
	if len(it.CancellationGroupID) > maxIDBytes {
		x.leaveOut("item " + it.OrderItemID + ", cancellationGroupId: too long")
		it.CancellationGroupID = ""
	}
	if it.Cancelled > it.Quantity {
		x.leaveOut("item " + it.OrderItemID + ", cancelledQuantity" + badUnits)
		it.Cancelled = 0
	}
	if at := it.Details.GetOrderDate(); !x.promisableStamp(at) {
		it.Details = it.Details.CloneVT()
		it.Details.OrderDate = x.keepStamp("item "+it.OrderItemID+", orderDate", at)
	}
	return it
}

func (x *decider) sensibleServices(services []ActivateService) []ActivateService {
	out := make([]ActivateService, 0, len(services))
	for _, v := range services {
		if !goodID(v.ServiceID) {
			x.leaveOut("a service" + badID)
			continue
		}
		if !x.promisable(v.DueAt) {
			x.leaveOut("service " + v.ServiceID + ", serviceByDate" + badDate)
			v.DueAt = time.Time{}
		}
		out = append(out, v)
	}
	return out
}

func (x *decider) sensibleReturn(f ReturnReported) ReturnReported {
	f.Lines = slices.Clone(keepGood(x, f.Lines, func(l ReturnLine) (string, bool) {
		r := l.Return
		switch {
		case !goodID(r.GetOrderItemId()):
			return "a line of the return" + badID, false
		case l.Quantity <= 0 || l.Quantity > maxUnits:
			return "item " + r.GetOrderItemId() + badUnits, false
		case r.GetSource() != fromCustomer && r.GetSource() != fromCourier:
			return "item " + r.GetOrderItemId() + ": an unknown source", false
		}
		return "", true
	}))
	for i, l := range f.Lines {
		r := l.Return
		if x.promisableStamp(r.GetExpectedDate()) && x.promisableStamp(r.GetMarketplaceUpdatedAt()) {
			continue
		}
		r = r.CloneVT()
		r.ExpectedDate = x.keepStamp("item "+r.GetOrderItemId()+", expectedDate", r.GetExpectedDate())
		r.MarketplaceUpdatedAt = x.keepStamp("item "+r.GetOrderItemId()+", updatedDate", r.GetMarketplaceUpdatedAt())
		f.Lines[i].Return = r
	}
	return f
}
