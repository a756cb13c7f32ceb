package emitter

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

// The page has every member of the endpoints file with its type, and an example that is read.
func TestOperatingDocumentsEndpointsFile(t *testing.T) {
	t.Parallel()
	require.Equal(t, testkit.JSONMembers(reflect.TypeFor[endpointFile]()), testkit.DocumentedMembers(t, "Member of an endpoint"))
	require.Equal(t, testkit.JSONMembers(reflect.TypeFor[channelFile]()), testkit.DocumentedMembers(t, "Member of a channel"))
	s, err := ReadSettings(strings.NewReader(testkit.DocumentedExample(t, "The endpoints file")))
	require.NoError(t, err)
	require.Len(t, s.Endpoints, 1)
	require.Contains(t, s.Channels.Sellers, "seller-1")
}
