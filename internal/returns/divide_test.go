package returns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
)

func TestDivideGivesEachShipmentItsLines(t *testing.T) {
	t.Parallel()
	n := func(lines ...string) *marketplace.Notification {
		n, err := marketplace.ParseNotification(fmt.Appendf(nil,
			`{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1","attributes":{"returnItems":[%s]}}`,
			strings.Join(lines, ",")), marketplace.DefaultSettings())
		require.NoError(t, err)
		return &n
	}
	item := func(id string) string { return fmt.Sprintf(`{"orderItemId":%q}`, id) }
	s1 := linkedShipment{id: "S1", items: []string{"1", "2"}, siblings: []string{"S1", "S2", "S3"}, count: 3}
	s2 := linkedShipment{id: "S2", items: []string{"3"}, siblings: []string{"S1", "S2", "S3"}, count: 3}
	s3 := linkedShipment{id: "S3", items: []string{"4"}, count: 1}
	all := []linkedShipment{s1, s2, s3}
	for name, tc := range map[string]struct {
		n      *marketplace.Notification
		linked []linkedShipment
		done   []string
		want   division
	}{
		"one shipment gets the whole": {
			n(item("1"), item("9")),
			[]linkedShipment{{id: "S1", items: []string{"1"}, count: 1}},
			nil,
			division{parts: []marketplace.Part{{ShipmentID: "S1"}}, reached: []string{"S1"}, complete: true},
		},
		"all shipments are known": {
			n(item("4"), item("1"), item("3"), item("2")), all, nil,
			division{parts: []marketplace.Part{
				{ShipmentID: "S1", Lines: []int{1, 3}}, {ShipmentID: "S2", Lines: []int{2}}, {ShipmentID: "S3", Lines: []int{0}},
			}, reached: []string{"S1", "S2", "S3"}, complete: true},
		},
		"one of them is not concerned": {
			n(item("1"), item("4")), all, nil,
			division{parts: []marketplace.Part{
				{ShipmentID: "S1", Lines: []int{0}}, {ShipmentID: "S3", Lines: []int{1}},
			}, reached: []string{"S1", "S2", "S3"}, complete: true},
		},
		"nobody has a line": {
			n(item("9"), item("1")), all, nil,
			division{parts: []marketplace.Part{
				{ShipmentID: "S1", Lines: []int{1}}, {ShipmentID: "S3", Lines: []int{0}},
			}, reached: []string{"S1", "S2", "S3"}, complete: true},
		},
		"no lines mean all": {
			n(), all, nil,
			division{parts: []marketplace.Part{
				{ShipmentID: "S1"}, {ShipmentID: "S2"}, {ShipmentID: "S3"},
			}, reached: []string{"S1", "S2", "S3"}, complete: true},
		},
		"two are not known yet": {
			n(item("1"), item("3"), item("4")), all[:1], nil,
			division{
				parts: []marketplace.Part{{ShipmentID: "S1", Lines: []int{0}}}, reached: []string{"S1"},
				rest: []marketplace.Part{{ShipmentID: "S2", Lines: []int{1, 2}}, {ShipmentID: "S3", Lines: []int{1, 2}}},
			},
		},
		"the last one becomes known": {
			n(item("1"), item("3"), item("9")), all,
			[]string{"S1", "S3"},
			division{parts: []marketplace.Part{{ShipmentID: "S2", Lines: []int{1, 2}}}, reached: []string{"S2"}, complete: true},
		},
		"more than are known by name": {
			n(item("1")),
			[]linkedShipment{{id: "S1", items: []string{"1"}, siblings: []string{"S1"}, count: 9}},
			nil,
			division{parts: []marketplace.Part{{ShipmentID: "S1"}}, reached: []string{"S1"}},
		},
		"a line names its shipment": {
			n(`{"orderItemId":"1","shipmentId":"S3"}`, item("1")), all, nil,
			division{parts: []marketplace.Part{
				{ShipmentID: "S1", Lines: []int{1}}, {ShipmentID: "S3", Lines: []int{0}},
			}, reached: []string{"S1", "S2", "S3"}, complete: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, divide(tc.n, tc.linked, tc.done))
		})
	}
}
