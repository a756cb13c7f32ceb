package events

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// numberByType and typeByNumber connect a ce_type with the field of Event.body that holds its message. They come from
// the schema by the rule that names both: orders.<Message>.v1 is the member whose message is <Message>.
//
//nolint:gochecknoglobals // Tables.
var numberByType, typeByNumber = func() (map[string]protowire.Number, []string) {
	byType := map[string]protowire.Number{}
	members := (*ledgerv1.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	var byNumber []string
	for i := range members.Len() {
		fd := members.Get(i)
		typ := "orders." + string(fd.Message().Name()) + ".v1"
		byType[typ] = fd.Number()
		for len(byNumber) <= int(fd.Number()) {
			byNumber = append(byNumber, "")
		}
		byNumber[fd.Number()] = typ
	}
	return byType, byNumber
}()

// typeNumber returns the field of Event.body for a ce_type, or 0 for an unknown one.
func typeNumber(ceType string) protowire.Number { return numberByType[ceType] }

// typeOfNumber is the reverse of typeNumber; "" for a field that is not in this version's schema.
func typeOfNumber(n protowire.Number) string {
	if n <= 0 || int(n) >= len(typeByNumber) {
		return ""
	}
	return typeByNumber[n]
}

// ShortType returns the name of an event type alone: ShipmentCreated for orders.ShipmentCreated.v1. What does not look
// so is returned as it is.
func ShortType(ceType string) string {
	name, ok := strings.CutPrefix(ceType, "orders.")
	if !ok {
		return ceType
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return ceType
	}
	return name[:dot]
}
