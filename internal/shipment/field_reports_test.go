package shipment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// fieldOfReport sets one field of a report of a shipment to a value, and reads it from a state.
type fieldOfReport struct {
	name string
	set  func(f *Created, v string)
	get  func(s *State) string
}

func fieldsOfReports() []fieldOfReport {
	item := func(s *State) *ledgerv1.ItemDetails { return s.GetItems()[0].GetDetails() }
	return []fieldOfReport{
		{
			"tier", func(f *Created, v string) { f.Details.DispatchServiceTier = v },
			func(s *State) string { return s.GetDetails().GetDispatchServiceTier() },
		},
		{
			"buyer", func(f *Created, v string) { f.Details.Buyer = &ledgerv1.Buyer{FirstName: v} },
			func(s *State) string { return s.GetDetails().GetBuyer().GetFirstName() },
		},
		{"parcels", func(f *Created, v string) {
			f.Details.SubShipments = []*ledgerv1.SubShipment{{SubShipmentId: v}}
		}, func(s *State) string {
			for _, sub := range s.GetDetails().GetSubShipments() {
				return sub.GetSubShipmentId()
			}
			return ""
		}},
		{
			"title", func(f *Created, v string) { f.Items[0].Details.Title = v },
			func(s *State) string { return item(s).GetTitle() },
		},
		{
			"hsn", func(f *Created, v string) { f.Items[0].Details.Hsn = v },
			func(s *State) string { return item(s).GetHsn() },
		},
		{
			"packages", func(f *Created, v string) { f.Items[0].Details.PackageIds = []string{v} },
			func(s *State) string { return strings.Join(item(s).GetPackageIds(), ",") },
		},
		{
			"currency", func(f *Created, v string) { f.Items[0].Details.Price = &ledgerv1.Price{Currency: v} },
			func(s *State) string { return item(s).GetPrice().GetCurrency() },
		},
		{
			"form", func(f *Created, v string) { f.Forms = append(f.Forms, &ledgerv1.Form{Name: "F", Link: v}) },
			func(s *State) string { return linkOf(s, "F") },
		},
		{
			"another form", func(f *Created, v string) { f.Forms = append(f.Forms, &ledgerv1.Form{Name: "G", Link: v}) },
			func(s *State) string { return linkOf(s, "G") },
		},
		{
			"dispatch after", func(f *Created, v string) { f.DispatchAfter = dayNamed(v) },
			func(s *State) string { return nameOfDay(s.GetDispatchAfter()) },
		},
	}
}

func linkOf(s *State, form string) string {
	for _, f := range s.GetForms() {
		if f.GetName() == form {
			return f.GetLink()
		}
	}
	return ""
}

// dayNamed and nameOfDay turn the values A and B into dates and back.
func dayNamed(v string) time.Time { return hour(24 * float64(v[0]-'A'+1)) }

func nameOfDay(at *timestamppb.Timestamp) string {
	if at == nil {
		return ""
	}
	return string(rune('A' + int(at.AsTime().Sub(noon()).Hours()/24) - 1))
}

// The value of each field that was reported last stands, whatever the order in which the reports arrive: also if it had
// been reported before, and another value lay in between.
func TestFieldsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{}
		report := func(i int) Created {
			f := created(1)
			f.At, f.MarketUpdatedAt = hour(float64(i)), hour(float64(i))
			f.Details, f.Items[0].Details = &ledgerv1.ShipmentDetails{}, &ledgerv1.ItemDetails{}
			for _, field := range fieldsOfReports() {
				if v := rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, fmt.Sprint(field.name, i)); v != "" {
					field.set(&f, v)
					want[field.name] = v
				}
			}
			return f
		}
		st := given(t, report(0))
		st.c.Now = hour(21)
		var facts []Created
		for i := range rapid.IntRange(1, 5).Draw(t, "reports") {
			facts = append(facts, report(i+1))
		}
		for _, f := range rapid.Permutation(facts).Draw(t, "order") {
			st.decide(f)
		}
		for _, field := range fieldsOfReports() {
			require.Equal(t, want[field.name], field.get(st.s), field.name)
		}
	})
}

// The same holds for the fields of a return, which three kinds of notification report.
func TestReturnFieldsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{}
		draw := func(i int, name string) string {
			v := rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, fmt.Sprint(name, i))
			if v != "" {
				want[name] = v
			}
			return v
		}
		expected := func(i int) *timestamppb.Timestamp {
			if v := draw(i, "expected"); v != "" {
				return ts(dayNamed(v))
			}
			return nil
		}
		report := func(i int) Input {
			f := returnReported("R", fromCustomer, float64(i+1), "item-1", 1)
			kind := "reported"
			if i > 0 {
				kind = rapid.SampledFrom([]string{"reported", "tracked", "expected"}).Draw(t, "kind")
			}
			switch kind {
			case "tracked":
				return ReturnTracked{f.Fact, "R", []*ledgerv1.ReturnTracking{{
					OrderItemId: "item-1", TrackingId: draw(i, "tracking"), CourierName: draw(i, "courier"),
				}}}
			case "expected":
				if at := expected(i); at != nil {
					return ReturnExpected{f.Fact, "R", []*ledgerv1.ReturnExpectedDate{{
						OrderItemId: "item-1", ExpectedDate: at,
					}}}
				}
			}
			r := f.Lines[0].Return
			r.Reason, r.Comments = draw(i, "reason"), draw(i, "comments")
			r.TrackingId, r.CourierName, r.ExpectedDate = draw(i, "tracking"), draw(i, "courier"), expected(i)
			return f
		}
		st := given(t, created(1), report(0))
		st.c.Now = hour(21)
		var facts []Input
		for i := range rapid.IntRange(1, 5).Draw(t, "reports") {
			facts = append(facts, report(i+1))
		}
		for _, f := range rapid.Permutation(facts).Draw(t, "order") {
			st.decide(f)
		}
		r := st.s.GetReturns()[0]
		require.Equal(t, want["reason"], r.GetReason())
		require.Equal(t, want["comments"], r.GetComments())
		require.Equal(t, want["tracking"], r.GetTrackingId())
		require.Equal(t, want["courier"], r.GetCourierName())
		require.Equal(t, want["expected"], nameOfDay(r.GetExpectedDate()))
	})
}

// A pull confirms what it shows only if the marketplace has changed the shipment since. Otherwise nothing can have
// happened in between, and each pull of an unchanged shipment would make an event.
func TestPullConfirms(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	details := func(policy string) *ledgerv1.ShipmentDetails {
		return &ledgerv1.ShipmentDetails{PackagingPolicy: policy}
	}
	unchanged := Observed{Fact: at(3), Details: details("DEFAULT"), MarketplaceUpdatedAt: hour(-1)}
	st.does(unchanged, duplicate)

	changed := Observed{Fact: at(4), Details: details("DEFAULT"), MarketplaceUpdatedAt: hour(4)}
	st.does(changed, applied, "PropertiesUpdated")
	require.Equal(t, []string{"details.packaging_policy"}, st.last.Events[0].GetPropertiesUpdated().GetConfirmed())
	st.does(changed, duplicate)

	late := created(1)
	late.At, late.Details = hour(2), details("PREMIUM")
	late.DispatchBy, late.DeliverBy, late.Items[0].Details = time.Time{}, time.Time{}, nil
	st.does(late, staleFact)
	require.Equal(t, "DEFAULT", st.s.GetDetails().GetPackagingPolicy())

	returned := returnReported("R", fromCustomer, 5, "item-1", 1)
	returned.Lines[0].Return.Reason, returned.Lines[0].Return.MarketplaceUpdatedAt = "A", ts(hour(5))
	st.does(returned, applied, "ReturnCreated")
	pull := Observed{Fact: at(8), Return: returned.Lines[0].Return.CloneVT()}
	pull.Return.ReturnId = "R"
	st.does(pull, duplicate)
	pull.Return.MarketplaceUpdatedAt = ts(hour(8))
	st.does(pull, applied, "ReturnUpdated")
	pull.At = hour(9)
	st.does(pull, duplicate)
	returned.At, returned.Lines[0].Return.Reason = hour(7), "B"
	st.does(returned, staleFact)
	require.Equal(t, "A", st.s.GetReturns()[0].GetReason())
}

// A field of an item that a later report added is as old as that report, not as the shipment.
func TestAddedItemKeepsItsTime(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	later := created(1, 1)
	later.At, later.Items[1].Details.Title = hour(5), "new"
	require.Equal(t, applied, st.decide(later).Outcome)
	earlier := created(1, 1)
	earlier.At, earlier.Items[1].Details.Title = hour(3), "old"
	st.decide(earlier)
	require.Equal(t, "new", st.item("item-2").GetDetails().GetTitle())
}

// The times of all fields of a large shipment take little room: a report of it can be repeated and still be recorded.
func TestFieldReportsAreSmall(t *testing.T) {
	t.Parallel()
	f := created()
	for i := range maxItems {
		details := &ledgerv1.ItemDetails{}
		eventstest.Fill(details.ProtoReflect())
		f.Items = append(f.Items, CreatedItem{OrderItemID: longID(i), Quantity: 1, Details: details})
	}
	st := given(t, f)
	size := st.s.SizeVT()
	f.At, f.MarketUpdatedAt = hour(1), hour(1)
	st.does(f, applied, "PropertiesUpdated")
	require.Empty(t, st.last.LeftOut)
	require.Less(t, (st.s.SizeVT()-size)/maxItems, 50, "bytes of an item")
	require.Len(t, st.s.GetItems()[maxItems-1].GetFieldReports(), 1)
}

// Every field of a return that is compared has a time, and no other has one.
func TestJudgedFields(t *testing.T) {
	t.Parallel()
	line := &ledgerv1.Return{}
	eventstest.Fill(line.ProtoReflect())
	p := &patch{}
	diffReturn(p, &ledgerv1.Return{OrderItemId: line.OrderItemId}, line)
	judged := []string{"marketplace_updated_at"}
	for i := range returnFields().Len() {
		if f := returnFields().Get(i); judgedReturnField(f) {
			judged = append(judged, string(f.Name()))
		}
	}
	require.ElementsMatch(t, p.changed, judged)
	p = &patch{}
	details := &ledgerv1.ItemDetails{}
	eventstest.Fill(details.ProtoReflect())
	diffItem(p, nil, details)
	for _, name := range p.changed {
		require.NotZero(t, numberOf(itemFields(), name), name)
	}
}

// A field is in one report only, and reports of one time are one, in order.
func TestNoteFields(t *testing.T) {
	t.Parallel()
	list := noteFields(nil, []uint32{3, 1}, ts(hour(2)))
	list = noteFields(list, []uint32{2}, ts(hour(1)))
	list = noteFields(list, []uint32{3, 4}, ts(hour(1)))
	list = noteFields(list, nil, ts(hour(5)))
	require.Equal(t, []*ledgerv1.FieldsReport{
		{ReportedAt: ts(hour(1)), Fields: []uint32{2, 3, 4}}, {ReportedAt: ts(hour(2)), Fields: []uint32{1}},
	}, list)
	list = noteFields(list, []uint32{2, 3, 4}, ts(hour(3)))
	require.Equal(t, []*ledgerv1.FieldsReport{
		{ReportedAt: ts(hour(2)), Fields: []uint32{1}}, {ReportedAt: ts(hour(3)), Fields: []uint32{2, 3, 4}},
	}, list)
}

// A line of a return says when its tracking and its expected date were reported, also if they were confirmed.
func TestReturnReportTimes(t *testing.T) {
	t.Parallel()
	f := returnReported("R", fromCustomer, 1, "item-1", 1)
	r := f.Lines[0].Return
	r.TrackingId, r.ExpectedDate, r.Reason = "T", ts(hour(48)), "A"
	st := given(t, created(1), f)
	tracked := ReturnTracked{at(2), "R", []*ledgerv1.ReturnTracking{{OrderItemId: "item-1", TrackingId: "T"}}}
	st.does(tracked, applied, "ReturnUpdated")
	expected := ReturnExpected{at(3), "R", []*ledgerv1.ReturnExpectedDate{{OrderItemId: "item-1", ExpectedDate: ts(hour(72))}}}
	st.does(expected, applied, "ReturnExpectedDateChanged")
	f.At, r.Reason, r.TrackingId, r.ExpectedDate, r.MarketplaceUpdatedAt = hour(4), "B", "", nil, ts(hour(4))
	st.does(f, applied, "ReturnUpdated")
	line := st.s.GetReturns()[0]
	require.Equal(t, ts(hour(2)), line.GetTrackingReportedAt())
	require.Equal(t, ts(hour(3)), line.GetExpectedReportedAt())
	number := func(name string) uint32 { return numberOf(returnFields(), name) }
	require.Equal(t, []*ledgerv1.FieldsReport{
		{ReportedAt: ts(hour(2)), Fields: []uint32{number("tracking_id")}},
		{ReportedAt: ts(hour(3)), Fields: []uint32{number("expected_date")}},
		{ReportedAt: ts(hour(4)), Fields: []uint32{number("reason")}},
	}, line.GetFieldReports())
}

// That a form is automated is never taken back, so an old report of it counts, but not its link.
func TestOldReportOfForm(t *testing.T) {
	t.Parallel()
	report := func(hours float64, link string, automated bool) Created {
		f := created(1)
		f.At, f.Forms = hour(hours), []*ledgerv1.Form{{Name: "F", Link: link, Automated: automated}}
		return f
	}
	st := given(t, report(0, "first", false), report(5, "new", false), report(3, "old", true))
	require.Equal(t, []*ledgerv1.Form{{Name: "F", Link: "new", Automated: true}}, st.s.GetForms())
}
