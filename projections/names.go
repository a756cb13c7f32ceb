package projections

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// names holds the values of an enum as the tables show them, by number; 0 is empty.
type names []string

//nolint:gochecknoglobals // Tables.
var (
	statusNames        = namesOf(ledgerv1.Status(0).Descriptor(), "STATUS_", strings.ToUpper)
	serviceStatusNames = namesOf(ledgerv1.ServiceStatus(0).Descriptor(), "SERVICE_STATUS_", strings.ToUpper)
	serviceKindNames   = namesOf(ledgerv1.ServiceKind(0).Descriptor(), "SERVICE_KIND_", strings.ToLower)
	returnStatusNames  = namesOf(ledgerv1.ReturnStatus(0).Descriptor(), "RETURN_STATUS_", strings.ToUpper)
	clockNames         = namesOf(ledgerv1.ClockKind(0).Descriptor(), "CLOCK_KIND_", strings.ToLower)
	outcomeNames       = namesOf(ledgerv1.Outcome(0).Descriptor(), "OUTCOME_", strings.ToLower)
	fulfilmentNames    = namesOf(ledgerv1.Fulfilment(0).Descriptor(), "FULFILMENT_", strings.ToLower)
	certaintyNames     = names{"reported", "inferred", "assumed"}
	returnSourceNames  = names{"", "customer_return", "courier_return"}
)

func namesOf(d protoreflect.EnumDescriptor, prefix string, style func(string) string) names {
	n := make(names, d.Values().Len())
	for i := range n {
		v := d.Values().Get(i)
		if int(v.Number()) != i {
			panic("projections: " + string(d.FullName()) + " has gaps") // The schema is part of the binary.
		}
		if i > 0 {
			n[i] = style(strings.TrimPrefix(string(v.Name()), prefix))
		}
	}
	return n
}

// of returns the name of a value. A value that a later version of the schema added has no name yet; it becomes its
// number, because the event must have its row.
func (n names) of(v int32) string {
	if v >= 0 && int(v) < len(n) {
		return n[v]
	}
	return strconv.Itoa(int(v))
}

// certainty returns how sure a moment is; empty for none.
func certainty(m *ledgerv1.Moment) string {
	if m == nil {
		return ""
	}
	return certaintyNames.of(int32(m.GetCertainty()))
}

// civil returns the year and month of a time in UTC.
func civil(t Time) (year, month int) {
	y, m, _ := time.UnixMilli(int64(t)).UTC().Date()
	return y, int(m)
}
