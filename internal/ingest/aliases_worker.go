package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// aliaser turns the ledger into aliases: a Watermill router from orders.events.v1 to orders.aliases.v1. At least once;
// writing an alias again changes nothing.
type aliaser struct{ g *Ingest }

// Run writes aliases until ctx ends.
func (a *aliaser) Run(ctx context.Context) error {
	cfg := a.g.cfg
	subscriber, err := pubsub.NewSubscriber(pubsub.Config{
		// Transactions end in markers, which take offsets: who reads them can commit the end of the log, and so tell those
		// who wait for it that nothing is left.
		Client:     append(append([]kgo.Opt{}, a.g.options...), kgo.KeepControlRecords()),
		UUIDHeader: events.HeaderID, Log: a.g.log, Group: kafka.GroupAliases(cfg.Cluster), Filter: aliasInterest.wants(),
		InstanceID: cfg.InstanceID, SessionTimeout: cfg.SessionTimeout, FetchWait: gather,
	})
	if err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	defer subscriber.Close() //nolint:errcheck // It has closed with the router already, and reports nothing.
	publisher, err := pubsub.NewPublisher(pubsub.Config{
		Client: a.g.options, UUIDHeader: events.HeaderID, Log: a.g.log, ExplicitPartitions: true,
	})
	if err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	defer publisher.Close() //nolint:errcheck // As above.
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLoggerWithLevelMapping(a.g.log, quiet()))
	if err != nil {
		return fmt.Errorf("aliases: router: %w", err)
	}
	router.AddHandler("aliases", events.TopicEvents, subscriber, events.TopicAliases, publisher, a.handle)
	if err := router.Run(ctx); err != nil {
		return fmt.Errorf("aliases: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("aliases: the subscription ended by itself")
	}
	return nil
}

// quiet keeps Watermill's chatter of starting and stopping below what is shown.
func quiet() map[slog.Level]slog.Level {
	return map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}
}

// handle returns the aliases that an event makes known.
func (a *aliaser) handle(in *message.Message) ([]*message.Message, error) {
	rec := pubsub.Record(in.Context())
	_, event, err := events.Decode(headersOf(rec), rec.Value)
	if err != nil {
		// The projector sets it aside for people; no alias can be read from it.
		a.g.log.WarnContext(in.Context(), "undecodable event skipped", slog.Int("partition", int(rec.Partition)),
			slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return nil, nil
	}
	s := event.GetAfter()
	var out []*message.Message
	for _, id := range aliasesOf(event) {
		alias, err := aliasRecord(id, s.GetShipmentId(), s.GetSellerId(), a.g.cfg.Lanes)
		if err != nil {
			return nil, err
		}
		m := message.NewMessage(in.UUID+"/"+id, alias.Value)
		m.Metadata[pubsub.MetadataKey] = string(alias.Key)
		m.Metadata[pubsub.MetadataPartition] = strconv.Itoa(int(alias.Partition))
		for _, h := range alias.Headers {
			m.Metadata[h.Key] = string(h.Value)
		}
		out = append(out, m)
	}
	return out, nil
}

// headersOf converts the headers of a record; the types have one shape.
func headersOf(rec *kgo.Record) []events.Header {
	headers := make([]events.Header, len(rec.Headers))
	for i, h := range rec.Headers {
		headers[i] = events.Header(h)
	}
	return headers
}
