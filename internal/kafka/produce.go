package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Produce writes records and returns when all are written, one has failed, or ctx ends; then any of them may be written
// or not. The client's own ProduceSync waits longer: it does not give up a record that it has sent once, since nobody
// knows its fate, so without a broker it would wait until there is one again.
func Produce(ctx context.Context, client *kgo.Client, records ...*kgo.Record) error {
	results := make(chan error, len(records))
	for _, r := range records {
		client.Produce(ctx, r, func(_ *kgo.Record, err error) { results <- err })
	}
	for range records {
		select {
		case err := <-results:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// maxUnsent is larger than any record, and small beside the memory of a process.
const maxUnsent = 64 << 20

// BoundedProducer bounds the memory of records that a client has not written yet; Produce then waits for space, until
// its context ends. Every client of Produce needs it: during an outage, records stay in the client after Produce has
// returned, behind one whose fate is not known, and the client's own bound is 10,000 records of any size.
func BoundedProducer() kgo.Opt { return kgo.MaxBufferedBytes(maxUnsent) }
