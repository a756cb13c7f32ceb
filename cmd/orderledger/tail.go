package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// tailer prints records of the events topic.
type tailer struct {
	shipmentID string
	json       bool
	limit      int
	shown      int
	record     events.Record

	// waiting is where the tailer says that it waits, once, when nothing has come for idle. Nil says nothing.
	waiting io.Writer
	idle    time.Duration
}

func tailCommand() *cobra.Command {
	cfg := kafka.DefaultConfig()
	e := setting.NewReader(os.Getenv)
	cfg.Read(e)
	var (
		fromStart bool
		output    string
		t         tailer
	)
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the events",
		Long: `tail follows orders.events.v1 and prints one line for each event: its time, shipment and version,
and the change of status. With -o json each line is a JSON object with the whole envelope (who caused
it, correlation, causation, key and hash of the input, hash of the chain) and the event.
It reads committed records only and commits no offsets.

Without --from-start it waits for the next event, and -n counts from there. It says so on standard
error if nothing comes, as for a shipment that does not exist. Events of one lane, and so
of one shipment, are in order; the order of lanes is not defined.

TLS and the user come from the variables of the services: ORDERLEDGER_KAFKA_TLS, ORDERLEDGER_KAFKA_SASL,
ORDERLEDGER_KAFKA_USER, ORDERLEDGER_KAFKA_PASSWORD and the others of that prefix.`,
		Example: "  orderledger tail --from-start\n  orderledger tail -o json | jq .event.after.status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("-o %s: want text or json", output)
			}
			if t.limit < 0 {
				return fmt.Errorf("-n %d: want 0 (never stop) or more", t.limit)
			}
			t.json = output == "json"
			if err := validKafka(cmd, e, cfg); err != nil {
				return err
			}
			t.waiting, t.idle = cmd.ErrOrStderr(), 2*time.Second
			return t.run(cmd.Context(), cfg, fromStart, screenOf(cmd))
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&cfg.Brokers, "kafka", cfg.Brokers, "brokers, host:port, separated by commas")
	flags.BoolVar(&fromStart, "from-start", false, "start with the first event instead of the next one")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	flags.StringVar(&t.shipmentID, "shipment", "", "show only the events of this shipment")
	flags.IntVarP(&t.limit, "lines", "n", 0, "stop after this number of events (0: never)")
	return cmd
}

func (t *tailer) run(ctx context.Context, cfg kafka.Config, fromStart bool, screen console.Screen) error {
	start := kgo.NewOffset().AtEnd()
	if fromStart {
		start = kgo.NewOffset().AtStart()
	}
	client, err := connect(ctx, cfg, kgo.ConsumeResetOffset(start), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := kafka.ReadLayout(ctx, client, cfg)
	if err != nil {
		return err
	}
	lanes := map[int32]kgo.Offset{} // The topic may have more partitions, which nobody reads.
	for lane := range int32(layout.Lanes) {
		lanes[lane] = start
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicEvents: lanes})
	w := bufio.NewWriter(screen.Out)
	defer func() { _ = w.Flush() }() // The reader of a pipe may be gone.
	screen.Out = w
	table := screen.NewTable("", tailColumns()...)
	for {
		fetches := t.poll(ctx, client)
		switch {
		case ctx.Err() != nil && t.limit > 0:
			return ctx.Err()
		case ctx.Err() != nil:
			return nil // Nobody asked for an end.
		}
		var errs []error
		fetches.EachError(func(topic string, partition int32, err error) {
			errs = append(errs, fmt.Errorf("read %s/%d: %w", topic, partition, err))
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for record := range fetches.RecordsAll() {
			if t.shipmentID != "" && string(record.Key) != t.shipmentID {
				continue
			}
			t.show(w, table, record)
			if t.shown++; t.shown == t.limit {
				return nil
			}
		}
		if err := w.Flush(); err != nil {
			return nil // The reader of the pipe is gone, as after `head`.
		}
	}
}

// poll fetches records. If none have come for a while, it says that the tailer waits: an id that does not exist looks
// like a command that hangs.
func (t *tailer) poll(ctx context.Context, client *kgo.Client) kgo.Fetches {
	if t.waiting == nil {
		return client.PollFetches(ctx)
	}
	soon, cancel := context.WithTimeout(ctx, t.idle)
	defer cancel()
	fetches := client.PollFetches(soon)
	if soon.Err() == nil || !fetches.Empty() {
		return fetches
	}
	if ctx.Err() == nil {
		next := "the next event"
		switch {
		case t.shipmentID != "" && t.shown == 0:
			next = "an event of shipment " + t.shipmentID + ", which has none here yet"
		case t.shipmentID != "":
			next = "the next event of shipment " + t.shipmentID
		}
		fmt.Fprintf(t.waiting, "waiting for %s; Ctrl-C stops\n", next)
		t.waiting = nil
	}
	return client.PollFetches(ctx)
}

// tailColumns are wide enough for what is usual. A narrow terminal has no room for the position of the record.
func tailColumns() []console.Column {
	return []console.Column{
		{Width: 19, Min: 19},
		{Width: 7, Optional: true},
		{Width: 7, Optional: true},
		{Width: 24, Min: 17},
		{Width: 36, Min: 9},
		{Width: 4},
		{Width: 20, Min: 20},
	}
}

func (t *tailer) show(w io.Writer, table *console.Table, record *kgo.Record) {
	kafka.ReadEventRecord(&t.record, record)
	env, event, err := events.Decode(&t.record)
	if err != nil {
		fmt.Fprintf(w, "lane %d offset %d: %v\n", record.Partition, record.Offset, err)
		return
	}
	if t.json {
		line, err := jsonLine(env, record)
		if err != nil {
			line = fmt.Appendf(nil, "lane %d offset %d: %v", record.Partition, record.Offset, err)
		}
		fmt.Fprintf(w, "%s\n", line)
		return
	}
	happened := env.OccurredAt.UTC().Format(time.DateTime)
	if events.At(event).GetDay() {
		// Its end stands for the day, in IST as the marketplace counts days; nobody reported that time.
		happened = env.OccurredAt.In(marketplace.IST).Format(time.DateOnly)
	}
	table.Row(console.Cell{Text: happened},
		console.Cell{Text: fmt.Sprintf("lane %d", record.Partition), Style: console.Dim},
		console.Cell{Text: fmt.Sprintf("#%d", env.LaneSeq), Style: console.Dim},
		console.Cell{Text: shortType(env.Type), Style: console.Bold}, console.Cell{Text: env.ShipmentID},
		console.Cell{Text: fmt.Sprintf("v%d", env.Version)},
		console.Cell{Text: transition(event.GetTransition()), Style: styleOf(remarks(event.GetTransition()))})
	_ = table.Stream() // Into the buffer, whose Flush has the error.
}

// jsonEvent is an event as -o json prints it: the whole envelope and the event. Members are absent where the envelope
// has nothing; those after decisionEvent are in the first event of a decision only.
type jsonEvent struct {
	ID             string          `json:"id"`
	Type           string          `json:"type"`
	Source         string          `json:"source"`
	ShipmentID     string          `json:"shipmentId"`
	Version        uint64          `json:"version"`
	Lane           int32           `json:"lane"`
	Offset         int64           `json:"offset"`
	LaneSeq        uint64          `json:"laneseq"`
	SellerID       string          `json:"sellerId,omitempty"`
	LocationID     string          `json:"locationId,omitempty"`
	Time           string          `json:"time"`
	DecidedTime    string          `json:"decidedTime"`
	RecordedTime   string          `json:"recordedTime"`
	AuthType       string          `json:"authType,omitempty"`
	AuthID         string          `json:"authId,omitempty"`
	CorrelationID  string          `json:"correlationId,omitempty"`
	CausationID    string          `json:"causationId,omitempty"`
	TraceParent    string          `json:"traceparent,omitempty"`
	History        bool            `json:"history,omitempty"`
	DecisionEvents int             `json:"decisionEvents,omitempty"`
	DecisionEvent  int             `json:"decisionEvent,omitempty"`
	InputType      string          `json:"inputType,omitempty"`
	InputKey       string          `json:"inputKey,omitempty"`
	InputHash      []byte          `json:"inputHash,omitempty"`
	InboxOffset    *int64          `json:"inboxOffset,omitempty"`
	DecisionSeq    uint64          `json:"decisionSeq,omitempty"`
	ChainHash      []byte          `json:"chainHash"` // In Base64, like inputHash, as in the headers.
	Event          json.RawMessage `json:"event"`
}

// jsonLine returns the envelope and the event as one object.
func jsonLine(env events.Envelope, record *kgo.Record) ([]byte, error) {
	event, err := events.AppendJSON(nil, env.Type, record.Value)
	if err != nil {
		return nil, err
	}
	line := jsonEvent{
		ID: env.ID, Type: env.Type, Source: env.Source, ShipmentID: env.ShipmentID, Version: env.Version,
		Lane: record.Partition, Offset: record.Offset, LaneSeq: env.LaneSeq, SellerID: env.SellerID,
		LocationID: env.LocationID, Time: env.OccurredAt.Format(events.TimeFormat),
		DecidedTime:  env.DecidedAt.Format(events.TimeFormat),
		RecordedTime: env.RecordedAt.Format(events.TimeFormat), AuthType: env.AuthType, AuthID: env.AuthID,
		CorrelationID: env.CorrelationID, CausationID: env.CausationID, TraceParent: env.TraceParent, History: env.History,
		DecisionEvents: env.DecisionEvents, DecisionEvent: env.DecisionEvent, InputType: env.InputType,
		InputKey: env.InputKey, DecisionSeq: env.DecisionSeq, ChainHash: env.ChainHash[:], Event: event,
	}
	if env.InputHash != (events.Hash{}) {
		line.InputHash = env.InputHash[:]
	}
	if env.InputType != "" && env.InboxOffset != events.NoInboxOffset {
		line.InboxOffset = &env.InboxOffset
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(line)
	return bytes.TrimSpace(out.Bytes()), err
}

// shortType returns a ce_type without the prefix and suffix of all types.
func shortType(ceType string) string {
	return strings.TrimSuffix(strings.TrimPrefix(ceType, "orders."), ".v1")
}

// statusText returns a status as the tables write it.
func statusText(s ledgerv1.Status) string {
	return strings.TrimPrefix(s.String(), "STATUS_")
}

// transition describes the change of status in one line.
func transition(t *ledgerv1.Transition) string {
	var b strings.Builder
	switch {
	case t.GetFrom() == ledgerv1.Status_STATUS_UNSPECIFIED:
		b.WriteString("→ " + statusText(t.GetTo()))
	case t.GetFrom() == t.GetTo():
		b.WriteString(statusText(t.GetTo()))
	default:
		b.WriteString(statusText(t.GetFrom()) + " → " + statusText(t.GetTo()))
	}
	if skipped := t.GetSkipped(); len(skipped) > 0 {
		names := make([]string, len(skipped))
		for i, s := range skipped {
			names[i] = statusText(s)
		}
		b.WriteString("  skipped " + strings.Join(names, ", "))
	}
	if more := remarks(t); more != "" {
		b.WriteString("  " + strings.TrimSpace(more))
	}
	return b.String()
}

// remarks says what is unusual about a change of status; each word ends with a space.
func remarks(t *ledgerv1.Transition) (text string) {
	if t.GetLate() {
		text = "late "
	}
	if t.GetIrregular() {
		text += "irregular "
	}
	return text
}
