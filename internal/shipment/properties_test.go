package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The functions that compare fields and those that merge them are two lists: a new field has to be in both.
func TestPatchCoversEveryField(t *testing.T) {
	t.Parallel()
	details := &ledgerv1.ShipmentDetails{}
	eventstest.Fill(details.ProtoReflect())
	details.Source = "" // The source never changes after the creation.
	diff := diffDetails(&patch{}, nil, details)
	require.True(t, details.EqualVT(diff), "compared: %v", diff)
	require.True(t, details.EqualVT(mergeDetails(nil, diff)), "merged: %v", mergeDetails(nil, diff))
	require.Nil(t, diffDetails(&patch{}, details, details))

	item := &ledgerv1.ItemDetails{}
	eventstest.Fill(item.ProtoReflect())
	itemDiff := diffItem(&patch{}, nil, item)
	require.True(t, item.EqualVT(itemDiff), "compared: %v", itemDiff)
	require.True(t, item.EqualVT(mergeItem(nil, itemDiff)), "merged: %v", mergeItem(nil, itemDiff))
	require.Nil(t, diffItem(&patch{}, item, item))

	packing := &ledgerv1.Packing{}
	eventstest.Fill(packing.ProtoReflect())
	require.True(t, packing.EqualVT(mergePacking(nil, packing)), "merged: %v", mergePacking(nil, packing))

	line := &ledgerv1.Return{}
	eventstest.Fill(line.ProtoReflect())
	lineDiff := diffReturn(&patch{}, &ledgerv1.Return{OrderItemId: line.OrderItemId}, line)
	merged := &ledgerv1.Return{OrderItemId: line.OrderItemId}
	mergeReturn(merged, lineDiff)
	require.True(t, merged.EqualVT(lineDiff), "compared: %v\nmerged: %v", lineDiff, merged)
}

// Fulfilment systems identify a suborder by its channel.
func TestSourceNeverChanges(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.Source = "flipkart"
	st := given(t, c)
	c.At, c.Source = hour(3), "another"
	st.does(c, applied, "PropertiesUpdated")
	require.Equal(t, []string{"details.packaging_policy", "dispatch_by", "deliver_by"}, st.last.Events[0].GetPropertiesUpdated().GetConfirmed())
	require.Empty(t, st.last.Events[0].GetPropertiesUpdated().GetChanged())
	st.does(c, duplicate)
	require.Equal(t, "flipkart", st.s.GetDetails().GetSource())
	c.At, c.Details = hour(4), &ledgerv1.ShipmentDetails{Source: "another", PackagingPolicy: "new"}
	require.Equal(t, applied, st.decide(c).Outcome)
	require.Equal(t, "new", st.s.GetDetails().GetPackagingPolicy())
	require.Equal(t, "flipkart", st.s.GetDetails().GetSource(), "a report of other details leaves it alone")
}
