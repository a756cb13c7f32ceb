package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	byMarketplace = ledgerv1.DueSource_DUE_SOURCE_MARKETPLACE
	bySeller      = ledgerv1.DueSource_DUE_SOURCE_SELLER
	byAttempt     = ledgerv1.DueSource_DUE_SOURCE_ATTEMPT
)

// maxReports bounds the reports that a clock keeps. Of more, the second goes: the first and the latest decide.
const maxReports = 32

// report notes a due time of the shipment's dispatch or delivery, and opens the clock if it is the first. The clock
// keeps all reports, because a fact that arrives late can show that it ended between two of them; see promiseOf. A nil
// time is that of the creation, which counts however late the creation was reported.
func (d *draft) report(kind ledgerv1.ClockKind, at, dueAt *timestamppb.Timestamp, source ledgerv1.DueSource) {
	if dueAt == nil {
		return
	}
	i := d.clockAt(kind, d.ShipmentId)
	if i < 0 {
		started := d.Times.GetCreated().GetAt()
		if source == bySeller {
			started = cmpShipped(d.Times, at)
		}
		d.open(kind, d.ShipmentId, started, dueAt)
		i = len(d.Clocks) - 1
	}
	c := d.clock(i)
	if source == byMarketplace {
		// The promise of the marketplace counts from the creation, also if the seller's was known first.
		c.StartedAt = d.Times.GetCreated().GetAt()
	}
	list := slices.Clone(c.Reports)
	if n := len(list); source == byAttempt && n > 0 {
		at = latest(at, list[n-1].GetReportedAt()) // It is the newest now, whenever the attempt was made.
	}
	n := len(list)
	for n > 0 && before(at, list[n-1].GetReportedAt()) {
		n--
	}
	list = slices.Insert(list, n, &ledgerv1.DueReport{ReportedAt: at, DueAt: dueAt, Source: source})
	if len(list) > maxReports {
		list = slices.Delete(list, 1, 2)
	}
	c.Reports = list
}

// cmpShipped is when a promise of the seller began: at the shipping, or when it was made if that is unknown.
func cmpShipped(t *ledgerv1.Times, made *timestamppb.Timestamp) *timestamppb.Timestamp {
	if at := t.GetShipped().GetAt(); at != nil {
		return at
	}
	return made
}

// promise is the due time of a clock as its reports decide it.
type promise struct {
	first, due *timestamppb.Timestamp
	extensions uint32
	none       bool // Nothing was promised before the clock ended.
}

// promiseOf folds the reports of a clock, by the times of the reports: those that were made before it ended count, in
// whatever order they arrived. The marketplace's date replaces the one before. A date that the seller plans counts only
// where the marketplace names none, and like an attempt it postpones the due time and never shortens it.
func promiseOf(c *ledgerv1.Clock, done, gone *ledgerv1.Moment) promise {
	p := promise{first: c.GetFirstDueAt(), due: c.GetDueAt(), extensions: c.GetExtensions()}
	if len(c.GetReports()) == 0 {
		return p
	}
	end := later(done, gone).GetAt()
	counts := func(r *ledgerv1.DueReport) bool { return end == nil || !before(end, r.GetReportedAt()) }
	marketplace := slices.ContainsFunc(c.GetReports(), func(r *ledgerv1.DueReport) bool {
		return r.GetSource() == byMarketplace && counts(r)
	})
	p = promise{none: true}
	for _, r := range c.GetReports() {
		switch {
		case !counts(r) || marketplace && r.GetSource() == bySeller:
			continue
		case p.none:
			p.first, p.due, p.none = r.GetDueAt(), r.GetDueAt(), false
		case r.GetSource() == byMarketplace:
			p.due = r.GetDueAt()
		case before(p.due, r.GetDueAt()):
			p.due = r.GetDueAt()
			p.extensions++
		}
	}
	if p.none {
		first := c.GetReports()[0].GetDueAt()
		p.first, p.due = first, first
	}
	return p
}
