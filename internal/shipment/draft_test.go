package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events/eventstest"
)

// A draft copies field by field: a new field that is left out would be lost with the next event.
func TestDraftCopiesEveryField(t *testing.T) {
	t.Parallel()
	s := &State{}
	eventstest.Fill(s.ProtoReflect())
	frozen := s.CloneVT()
	d := newDraft(s)
	d.ownTimes()
	for i := range d.Items {
		d.item(i)
	}
	for i := range d.Clocks {
		d.clock(i)
	}
	for i := range d.Services {
		d.service(i)
	}
	for i := range d.Returns {
		d.returnLine(i)
	}
	require.Equal(t, s.Version+1, d.Version)
	d.Version = s.Version
	require.True(t, s.EqualVT(d.State), "%v\n%v", s, d.State)

	require.NotSame(t, s.Items[0], d.Items[0])
	require.NotSame(t, s.Clocks[0], d.Clocks[0])
	d.Items[0].Ordered, d.Clocks[0].Attempts, d.Times.Packed = 99, 99, nil
	require.True(t, s.EqualVT(frozen), "the state before was changed")
}
