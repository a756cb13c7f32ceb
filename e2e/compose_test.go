package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

// TestComposeFigures imports orders into the services in containers. They give the same figures as the embedded stack.
func TestComposeFigures(t *testing.T) {
	c := newComposed(t)
	o := someOrders(t)
	result, err := importer.Import(t.Context(), importer.Config{URL: c.url}, bytes.NewReader(o.part(0, 1)))
	require.NoError(t, err)
	require.Empty(t, result.Refused)
	require.Equal(t, len(o.lines), result.Accepted)
	t.Logf("imported %d lines in %s", result.Accepted, result.Elapsed)
	o.requireFigures(c)
	require.Zero(t, c.received().Repeats, "nothing was killed, so nothing is repeated")
}

// TestComposeInstancesKilledInTurn imports through both ingest instances while each instance of each service is killed
// in turn. An instance dies in the middle of one part of the import, and returns during the next: at once, with its
// partitions, or only when the other has taken them over. The figures are the same.
func TestComposeInstancesKilledInTurn(t *testing.T) {
	c := newComposed(t, "two")
	o := someOrders(t)
	instances := []string{"ingest", "ingest-2", "projector", "projector-2", "emitter", "emitter-2"}
	for _, instance := range instances {
		c.awaitShared(instance, 2)
	}
	client := newRoundRobin("127.0.0.1:8080", "127.0.0.1:8081")
	for i, instance := range instances {
		first := c.send(client, o.part(2*i, 2*len(instances)))
		first.awaitHalf()
		t.Logf("kill %s", instance)
		c.kill(instance)
		if strings.HasSuffix(instance, "-2") {
			c.awaitShared(instance, 1)
			t.Logf("its peer has taken over from %s", instance)
		}
		first.await()
		second := c.send(client, o.part(2*i+1, 2*len(instances)))
		c.start(instance)
		t.Logf("%s is back", instance)
		second.await()
		c.awaitShared(instance, 2)
	}
	o.requireFigures(c)
}
