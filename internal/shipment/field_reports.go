package shipment

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// When a field was reported last is kept by path for the shipment, and by number for items and lines of returns: a
// shipment can have a thousand of them, and usually all fields of one are reported together.

// itemFields and returnFields are the fields that have such numbers.
func itemFields() protoreflect.FieldDescriptors {
	return (*ledgerv1.ItemDetails)(nil).ProtoReflect().Descriptor().Fields()
}

func returnFields() protoreflect.FieldDescriptors {
	return (*ledgerv1.Return)(nil).ProtoReflect().Descriptor().Fields()
}

// judgedReturnField reports whether diffReturn compares a field.
func judgedReturnField(f protoreflect.FieldDescriptor) bool {
	switch f.Name() {
	case "reason", "sub_reason", "comments", "action", "courier_name", "tracking_id", "replacement_order_item_id",
		"shipment_status", "type", "product_id", "listing_id", "service_profile", "expected_date":
		return true
	}
	return false
}

// shipmentReported returns when a field of the shipment was reported last. What was not reported since is as old as the
// creation.
func (x *decider) shipmentReported(path string) *timestamppb.Timestamp {
	if i, found := fieldReport(x.s.GetFieldReports(), path); found {
		return x.s.FieldReports[i].GetReportedAt()
	}
	return x.s.GetTimes().GetCreated().GetAt()
}

// itemReported returns when a field of an item was reported last.
func (x *decider) itemReported(it *ledgerv1.Item) func(name string) *timestamppb.Timestamp {
	return func(name string) *timestamppb.Timestamp {
		if at := reportOf(it.GetFieldReports(), numberOf(itemFields(), name)); at != nil {
			return at
		}
		return x.shipmentReported(pathItems + it.GetOrderItemId())
	}
}

// lineReported returns when a field of a line of a return was reported last.
func lineReported(r *ledgerv1.Return) func(name string) *timestamppb.Timestamp {
	return func(name string) *timestamppb.Timestamp {
		if at := reportOf(r.GetFieldReports(), numberOf(returnFields(), name)); at != nil {
			return at
		}
		return r.GetCreated().GetAt()
	}
}

// reportOf returns when a field was reported last, or nil if only with the first report.
func reportOf(list []*ledgerv1.FieldsReport, field uint32) *timestamppb.Timestamp {
	for _, r := range list {
		if slices.Contains(r.GetFields(), field) {
			return r.GetReportedAt()
		}
	}
	return nil
}

// numberOf returns the number of a field, or 0 if there is none of that name.
func numberOf(fields protoreflect.FieldDescriptors, name string) uint32 {
	if f := fields.ByName(protoreflect.Name(name)); f != nil {
		return uint32(f.Number())
	}
	return 0
}

// setFields returns the numbers of the fields that are set, and of the named ones.
func setFields(m proto.Message, fields protoreflect.FieldDescriptors, named []string) []uint32 {
	var out []uint32
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		out = append(out, uint32(f.Number()))
		return true
	})
	for _, name := range named {
		if n := numberOf(fields, name); n > 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// noteFields returns the list after a report of some fields: each field is in the report that came last, and the
// reports are in the order of their times.
func noteFields(list []*ledgerv1.FieldsReport, fields []uint32, at *timestamppb.Timestamp) []*ledgerv1.FieldsReport {
	if len(fields) == 0 {
		return list
	}
	out := make([]*ledgerv1.FieldsReport, 0, len(list)+1)
	for _, r := range list {
		rest := slices.DeleteFunc(slices.Clone(r.GetFields()), func(n uint32) bool { return slices.Contains(fields, n) })
		switch {
		case same(r.GetReportedAt(), at):
			fields = append(rest, fields...)
		case len(rest) > 0:
			out = append(out, &ledgerv1.FieldsReport{ReportedAt: r.GetReportedAt(), Fields: rest})
		}
	}
	slices.Sort(fields)
	i, _ := slices.BinarySearchFunc(out, at, func(r *ledgerv1.FieldsReport, at *timestamppb.Timestamp) int {
		return cmp.Compare(r.GetReportedAt().AsTime().UnixNano(), at.AsTime().UnixNano())
	})
	return slices.Insert(out, i, &ledgerv1.FieldsReport{ReportedAt: at, Fields: fields})
}

// noteLine notes that fields of a line of a return were reported: those that the patch sets, and the confirmed ones.
func noteLine(r, patch *ledgerv1.Return, confirmed []string, at *timestamppb.Timestamp) {
	fields := slices.DeleteFunc(setFields(patch, returnFields(), confirmed), func(n uint32) bool {
		return !judgedReturnField(returnFields().ByNumber(protoreflect.FieldNumber(n)))
	})
	r.FieldReports = noteFields(r.FieldReports, fields, at)
	has := func(name string) bool { return slices.Contains(fields, numberOf(returnFields(), name)) }
	if has("tracking_id") || has("courier_name") {
		r.TrackingReportedAt = latest(r.TrackingReportedAt, at)
	}
	if has("expected_date") {
		r.ExpectedReportedAt = latest(r.ExpectedReportedAt, at)
	}
}

// keepLineTimes notes the time of all fields that have only that of the line's creation, which is about to change.
func keepLineTimes(r *ledgerv1.Return) {
	var fields []uint32
	r.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if n := uint32(f.Number()); judgedReturnField(f) && reportOf(r.GetFieldReports(), n) == nil {
			fields = append(fields, n)
		}
		return true
	})
	r.FieldReports = noteFields(r.FieldReports, fields, r.GetCreated().GetAt())
}
