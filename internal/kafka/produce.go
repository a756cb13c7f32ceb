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
