package shipment

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// propertiesUpdated merges the fields that the event holds. Everything that it leaves out stays as it is.
func (d *draft) propertiesUpdated(b *ledgerv1.PropertiesUpdated) {
	if b.GetDetails() != nil {
		d.Details = mergeDetails(d.Details, b.GetDetails())
	}
	if len(b.GetAddedItems()) > 0 {
		d.Items, d.items = append(slices.Clip(d.Items), b.GetAddedItems()...), true
	}
	at := b.GetAt().GetAt()
	for _, it := range b.GetAddedItems() {
		d.noteReport(pathItems+it.GetOrderItemId(), at)
	}
	for _, p := range b.GetItems() {
		if i := indexOf(d.Items, p.GetOrderItemId()); i >= 0 {
			d.patchItem(i, p, at)
		}
	}
	if len(b.GetForms()) > 0 {
		d.Forms = slices.Clone(d.Forms)
		for _, f := range b.GetForms() {
			d.patchForm(f)
			if f.GetLink() != "" {
				d.noteReport(pathForms+f.GetName(), at)
			}
		}
	}
	for _, path := range b.GetChanged() {
		if strings.HasPrefix(path, pathDetails) {
			d.noteReport(path, at)
		}
	}
	d.setDates(b, b.GetDispatchAfter())
	if b.GetMarketplaceUpdatedAt() != nil {
		d.MarketplaceUpdatedAt = b.GetMarketplaceUpdatedAt()
	}
	if b.GetPacking() != nil {
		d.Packing = mergePacking(d.Packing, b.GetPacking())
	}
}

// noteReport notes when a field was reported. A report that only fills in an unknown field may be older than what is
// noted.
func (d *draft) noteReport(path string, at *timestamppb.Timestamp) {
	i, found := fieldReport(d.FieldReports, path)
	one := &ledgerv1.FieldReport{Path: path, ReportedAt: at}
	list := slices.Clone(d.FieldReports)
	if found {
		list[i] = one
	} else {
		list = slices.Insert(list, i, one)
	}
	d.FieldReports = list
}

// fieldReport finds the report of a field in the sorted list.
func fieldReport(list []*ledgerv1.FieldReport, path string) (int, bool) {
	return slices.BinarySearchFunc(list, path, func(r *ledgerv1.FieldReport, path string) int {
		return cmp.Compare(r.GetPath(), path)
	})
}

// patchItem updates the details of an item, or the time, reason and actor of its cancellations.
func (d *draft) patchItem(i int, p *ledgerv1.ItemPatch, at *timestamppb.Timestamp) {
	it := d.item(i)
	it.FieldReports = noteFields(it.FieldReports, setFields(p.GetDetails(), itemFields(), p.GetConfirmed()), at)
	if p.GetDetails() != nil {
		it.Details = mergeItem(it.Details, p.GetDetails())
	}
	if p.GetCancelledAt() != nil {
		confirmCancellations(it, p)
		return
	}
	if p.GetCancellationReason() == "" {
		return
	}
	list := slices.Clone(it.Cancellations)
	for k, c := range list {
		if c.GetReason() != "" {
			continue
		}
		c = c.CloneVT()
		c.Reason, c.SubReason = p.GetCancellationReason(), p.GetCancellationSubReason()
		// The reason says who cancelled: the units move to that actor's count.
		if c.GetBy() == unknownActor && p.GetCancelledBy() != unknownActor {
			n := c.GetUnits() - min(c.GetUnits(), c.GetRevived())
			from := countOf(it, unknownActor)
			n = min(n, *from)
			*from -= n
			*countOf(it, p.GetCancelledBy()) += n
			c.By = p.GetCancelledBy()
		}
		list[k] = c
	}
	it.Cancellations = list
}

// confirmCancellations sets the reported time and reason on cancellations that a pull had only found, up to the
// reported units. If the report covers only part of a cancellation, the rest is split off as another one.
func confirmCancellations(it *ledgerv1.Item, p *ledgerv1.ItemPatch) {
	left := p.GetCancelledUnits()
	list := make([]*ledgerv1.Cancellation, 0, len(it.Cancellations)+1)
	for _, c := range it.Cancellations {
		n := min(left, c.GetUnits())
		if n == 0 || c.GetAt().GetCertainty() == reportedCertainty {
			list = append(list, c)
			continue
		}
		left -= n
		t := c.CloneVT()
		t.Units, t.Revived, t.At = n, min(n, c.GetRevived()), p.GetCancelledAt()
		if p.GetCancellationReason() != "" {
			t.Reason, t.SubReason = p.GetCancellationReason(), p.GetCancellationSubReason()
		}
		if p.GetCancelledBy() != unknownActor {
			from := countOf(it, t.By)
			moved := min(n-t.Revived, *from)
			*from -= moved
			*countOf(it, p.GetCancelledBy()) += moved
			t.By = p.GetCancelledBy()
		}
		list = append(list, t)
		if n < c.GetUnits() {
			rest := c.CloneVT()
			rest.Units, rest.Revived = c.GetUnits()-n, c.GetRevived()-t.Revived
			list = append(list, rest)
		}
	}
	it.Cancellations = list
}

// patchForm adds a form or updates its link.
func (d *draft) patchForm(f *ledgerv1.Form) {
	i := slices.IndexFunc(d.Forms, func(g *ledgerv1.Form) bool { return g.GetName() == f.GetName() })
	if i < 0 {
		d.Forms = append(d.Forms, f)
		return
	}
	g := d.Forms[i].CloneVT()
	setText(&g.Link, f.GetLink())
	g.Automated = g.Automated || f.GetAutomated()
	d.Forms[i] = g
}

// unknownActor is the actor of a cancellation whose reason does not say who cancelled. Such units have a count of their
// own: neither the seller's nor the customer's may include them.
const unknownActor = ledgerv1.CancelledBy_CANCELLED_BY_UNSPECIFIED
