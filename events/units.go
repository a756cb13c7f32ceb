package events

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// CancelledUnits returns how many units of an item were cancelled, whoever cancelled them. It leaves out units that a
// cancelled courier return brought back. The ledger never cancels more units than were ordered, so the sum does not
// overflow.
func CancelledUnits(i *ledgerv1.Item) uint32 {
	return i.GetCancelledSeller() + i.GetCancelledCustomer() + i.GetCancelledMarketplace() + i.GetCancelledUnknown()
}
