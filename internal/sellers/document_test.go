package sellers_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/testkit"
)

// The page has every member of the sellers file with its type, and an example that is valid.
func TestOperatingDocumentsSellersFile(t *testing.T) {
	t.Parallel()
	require.Equal(t, testkit.JSONMembers(reflect.TypeFor[sellers.Seller]()), testkit.DocumentedMembers(t, "Member"))
	list, err := sellers.Unmarshal([]byte(testkit.DocumentedExample(t, "The sellers file")))
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.NoError(t, sellers.Config{Sellers: list}.Validate())
}
