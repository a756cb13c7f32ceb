package returns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// fetchWait is how long the broker may collect events before it answers. Nobody waits for a single alias, and answering
// for each event would cost the broker as much as writing it.
const fetchWait = 100 * time.Millisecond

// aliasWorker derives aliases from the ledger: a Watermill router from orders.events.v1 to orders.aliases.v1. It
// delivers at least once; writing an alias again changes nothing.
type aliasWorker struct {
	cfg     Config
	options []kgo.Opt
	log     *slog.Logger
}

// run writes aliases until ctx ends.
func (a *aliasWorker) run(ctx context.Context) error {
	subscriber, err := pubsub.NewSubscriber(pubsub.Config{
		// The marker at the end of a transaction takes an offset. A reader that keeps markers can commit the end of the log,
		// and progress then shows that nothing is left.
		Client:     append(append([]kgo.Opt{}, a.options...), kgo.KeepControlRecords()),
		UUIDHeader: events.HeaderID, Log: a.log, Group: kafka.GroupAliases(a.cfg.Cluster), Filter: aliasEvents().Filter(),
		InstanceID: a.cfg.InstanceID, SessionTimeout: a.cfg.SessionTimeout, FetchWait: fetchWait,
	})
	if err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // It has closed with the router already, and reports nothing.
	publisher, err := pubsub.NewPublisher(pubsub.Config{
		Client: a.options, UUIDHeader: events.HeaderID, Log: a.log, ExplicitPartitions: true,
	})
	if err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	defer publisher.Close() //nolint:errcheck // As above.
	router, err := message.NewRouter(message.RouterConfig{}, pubsub.RouterLogger(a.log))
	if err != nil {
		return fmt.Errorf("aliases: router: %w", err)
	}
	router.AddHandler("aliases", events.TopicEvents, subscriber, events.TopicAliases, publisher, a.handle)
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("aliases: the subscription ended unexpectedly")
	}
	return nil
}

// handle returns the aliases of an event.
func (a *aliasWorker) handle(in *message.Message) ([]*message.Message, error) {
	rec := pubsub.Record(in.Context())
	_, event, err := events.Decode(kafka.EventRecord(rec))
	if err != nil {
		// The projector dead-letters it, and operators see it there; no alias can be read from it.
		a.log.WarnContext(in.Context(), "undecodable event skipped", slog.Int("partition", int(rec.Partition)),
			slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return nil, nil
	}
	var out []*message.Message
	for _, one := range aliasesOf(event) {
		rec, err := one.record(a.cfg.Lanes)
		if err != nil {
			return nil, err
		}
		m := message.NewMessage(in.UUID+"/"+string(rec.Key), rec.Value)
		m.Metadata[pubsub.MetadataKey] = string(rec.Key)
		m.Metadata[pubsub.MetadataPartition] = strconv.Itoa(int(rec.Partition))
		out = append(out, m)
	}
	return out, nil
}
