package events_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A new member of Event.body needs a constant, a case and a row in docs/events.md; everything else follows from the
// schema.
func TestCatalogueMatchesSchema(t *testing.T) {
	t.Parallel()
	var fromSchema []string
	members := (*ledgerv1.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range members.Len() {
		member := members.Get(i)
		ceType := "orders." + string(member.Message().Name()) + ".v1"
		fromSchema = append(fromSchema, ceType)

		e := eventstest.Event(ceType)
		require.NotNil(t, e, "%s has no event", ceType)
		require.Equal(t, ceType, events.TypeOf(e), "%s has no case, or another's", member.Name())
		body := e.ProtoReflect().Get(member).Message()
		at := body.Get(body.Descriptor().Fields().ByName("at")).Message().Interface()
		require.True(t, proto.Equal(at, events.At(e)), "%s happens at another time than its body says", ceType)
	}
	require.Equal(t, fromSchema, events.Types())

	page, err := os.ReadFile("../docs/events.md")
	require.NoError(t, err)
	for i, ceType := range fromSchema {
		row := fmt.Sprintf("| `%s` | `%s` = %d |", ceType, members.Get(i).Name(), members.Get(i).Number())
		require.Contains(t, string(page), row, "docs/events.md lacks a row of the catalogue")
	}

	constants := typeConstants(t)
	constants = slices.DeleteFunc(constants, func(c string) bool {
		return c == events.TypeDecision || c == events.TypeDecisionsVoided
	})
	require.Equal(t, fromSchema, constants, "the constants follow the schema's order")
}

func TestCatalogueOfAnEmptyEvent(t *testing.T) {
	t.Parallel()
	for _, e := range []*ledgerv1.Event{nil, {}} {
		require.Empty(t, events.TypeOf(e))
		require.Nil(t, events.At(e))
	}
	require.Nil(t, events.At(&ledgerv1.Event{Body: &ledgerv1.Event_ShipmentHeld{}}))
}

// typeConstants reads the values of the constants Type… from the source, in its order.
func typeConstants(t *testing.T) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "catalogue.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Type") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		values = append(values, value)
		return true
	})
	return values
}
