package journal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands that slow the inbox down do not make it pile up in memory.
func TestIntakeBoundsInbox(t *testing.T) {
	t.Parallel()
	l := &lane{
		j:      &Journal{cfg: Config{MaxBatch: 4}},
		writer: &writer{inbox: &inboxReader{fetched: make(chan fetched, 1)}},
	}
	l.intake = newIntake(l)
	l.intake.carry = make([]*input, 4)
	l.writer.inbox.fetched <- fetched{}
	l.intake.calls.put([]*call{{}, {}})
	inputs, err := l.intake.await(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, inputs, 4)
	require.Len(t, l.intake.carry, 2)
	require.Len(t, l.writer.inbox.fetched, 1, "the carry holds a whole batch already")
	_, err = l.intake.await(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, l.writer.inbox.fetched)
}
