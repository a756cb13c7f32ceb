package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// authSeller is who causes what a seller's call changes.
const authSeller = "seller"

// codeUnavailable is the marketplace's word for our own failures.
const codeUnavailable shipment.Code = "DEPENDENT_SYSTEM_CALL_FAILED"

// maxKey is the longest Idempotency-Key.
const maxKey = 128

// act returns the handler of an action: one command per item, one result per item.
func (g *Ingest) act(action marketplace.Action) handler {
	return func(ctx context.Context, c *call) error {
		body, err := c.body(g.cfg.MaxBodyBytes)
		if err != nil {
			return err
		}
		commands, err := action.Read(body, g.cfg.Marketplace)
		if err != nil {
			return err
		}
		return g.obey(ctx, c, source{action: action.Name, body: body}, action, commands)
	}
}

// update handles the one call that names its shipment in the path.
func (g *Ingest) update(ctx context.Context, c *call) error {
	body, err := c.body(g.cfg.MaxBodyBytes)
	if err != nil {
		return err
	}
	command, err := marketplace.ReadUpdate(c.r.PathValue("id"), body, g.cfg.Marketplace)
	if err != nil {
		return err
	}
	action := marketplace.Action{Name: marketplace.RouteUpdate, Subject: marketplace.SubjectShipment}
	return g.obey(ctx, c, source{marketplace.RouteUpdate, command.ShipmentID, body}, action, []marketplace.Command{command})
}

// obey brings commands to their owners and answers with their results. src is what they were read from.
func (g *Ingest) obey(ctx context.Context, c *call, src source, action marketplace.Action, commands []marketplace.Command) error {
	key := c.r.Header.Get(HeaderIdempotencyKey)
	if key != printable(key) || len(key) > maxKey {
		return newProblem(problemUnprocessable, "Idempotency-Key: want at most 128 printable ASCII characters")
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.CommandTimeout)
	defer cancel()
	targets, err := g.targets(ctx, c.seller.ID, action, commands)
	if err != nil {
		return err
	}

	var errands []*errand
	for i, command := range commands {
		for _, at := range targets[i].at {
			command := command
			if at.serviceID != "" {
				command = command.WithService(at.serviceID)
			}
			errands = append(errands, &errand{index: i, serviceID: at.serviceID, command: journal.Command{
				ShipmentID: at.shipmentID, Input: command.Input, Key: commandKey(c.seller.ID, key, action, command), Hash: command.Hash,
				SellerID: c.seller.ID, AuthType: authSeller, AuthID: c.seller.ID,
				CorrelationID: c.correlationID, TraceParent: c.traceParent,
			}})
		}
	}
	receipts := g.router.submit(ctx, src, errands)
	return g.answer(ctx, c, action, commands, targets, errands, receipts)
}

// commandKey makes a key of the caller's: a seller's own, and for returns and services one per item, because several of
// them may lie in one shipment.
func commandKey(sellerID, key string, action marketplace.Action, c marketplace.Command) string {
	switch {
	case key == "":
		return ""
	case action.Subject == marketplace.SubjectShipment:
		return "seller/" + sellerID + "/" + key
	default:
		return "seller/" + sellerID + "/" + key + "/" + c.ID
	}
}

// answer writes the results: the first refusal of an item's commands is the item's.
func (g *Ingest) answer(
	ctx context.Context, c *call, action marketplace.Action, commands []marketplace.Command, targets []target, errands []*errand, receipts []journal.Result,
) error {
	results := make([]marketplace.Result, len(commands))
	for i := range commands {
		results[i] = marketplace.Result{ID: orID(commands[i]), OK: true}
		if code := targets[i].code; code != "" {
			results[i].OK, results[i].Code, results[i].Message = false, code, targets[i].message
		}
	}
	var positions positions
	var failed error
	lost, reused := 0, 0
	for j, got := range receipts {
		r := &results[errands[j].index]
		if got.Err != nil {
			lost++
			failed = errors.Join(failed, got.Err)
			if r.OK {
				r.OK, r.Code, r.Message = false, codeUnavailable, problemOf(got.Err).Detail
			}
			continue
		}
		if got.Receipt.Version > 0 {
			positions.add(got.Receipt.Lane, got.Receipt.Offset)
		}
		switch got.Receipt.Outcome {
		case ledgerv1.Outcome_OUTCOME_ACCEPTED, ledgerv1.Outcome_OUTCOME_APPLIED, ledgerv1.Outcome_OUTCOME_DUPLICATE:
		default:
			if got.Receipt.Reason == shipment.CodeIdempotencyKeyReused {
				reused++
			}
			if r.OK {
				r.OK, r.Code, r.Message = false, got.Receipt.Reason, got.Receipt.Message
			}
		}
		g.logCommand(ctx, c, action, commands[errands[j].index], got.Receipt)
	}
	if lost > 0 && lost == len(receipts) {
		// Nothing can be said of any item: then the call failed, not its items.
		return failed
	}
	if reused > 0 && reused == len(receipts) {
		p := newProblem(problemUnprocessable, "the Idempotency-Key was used for another body")
		p.Code = shipment.CodeIdempotencyKeyReused
		return p
	}
	accepted := 0
	for i := range results {
		result := "rejected"
		if results[i].OK {
			result = "accepted"
			accepted++
		}
		g.metrics.commands.WithLabelValues(action.Name, result).Inc()
	}
	if failed != nil {
		c.note(slog.Any("err", failed))
	}
	c.note(slog.String("action", action.Name), slog.Int("items", len(commands)), slog.Int("accepted", accepted))
	body, err := marketplace.RenderResults(action.Subject, results)
	if err != nil {
		return fmt.Errorf("answer %s: %w", action.Name, err)
	}
	if header := positions.String(); header != "" {
		c.w.Header().Set(HeaderPosition, header)
	}
	c.json(http.StatusOK, body)
	return nil
}

func (g *Ingest) logCommand(ctx context.Context, c *call, action marketplace.Action, command marketplace.Command, r journal.Receipt) {
	message := "command accepted"
	if r.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED {
		message = "command rejected"
	}
	g.log.LogAttrs(ctx, slog.LevelInfo, message,
		slog.String("action", action.Name), slog.String("shipment_id", r.ShipmentID), slog.String("id", orID(command)),
		slog.Uint64("version", r.Version), slog.Int("lane", int(r.Lane)), slog.Int64("offset", r.Offset),
		slog.String("reason", string(r.Reason)), slog.Bool("repeated", r.Repeated), slog.String("correlation_id", c.correlationID))
}

func orID(c marketplace.Command) string {
	if c.ID != "" {
		return c.ID
	}
	return c.ShipmentID
}

// target is where the commands of an item go, or why nowhere.
type target struct {
	at      []place
	code    shipment.Code
	message string
}

type place struct{ shipmentID, serviceID string }

// targets finds the shipments of the items. Returns and services are looked up in the read model: what the seller knows
// the id of has been projected, except in the moment after it came to be.
func (g *Ingest) targets(ctx context.Context, sellerID string, action marketplace.Action, commands []marketplace.Command) ([]target, error) {
	out := make([]target, len(commands))
	var lookup []string
	for i, c := range commands {
		switch {
		case c.Code != "":
			out[i].code, out[i].message = c.Code, c.Message
		case action.Subject == marketplace.SubjectShipment:
			out[i].at = []place{{shipmentID: c.ShipmentID}}
		case c.ID != "":
			lookup = append(lookup, c.ID)
		}
	}
	if action.Subject == marketplace.SubjectShipment {
		return out, nil
	}
	found, err := g.shipmentsOf(ctx, sellerID, action.Subject, lookup)
	if err != nil {
		return nil, err
	}
	for i, c := range commands {
		switch {
		case out[i].code != "":
		case c.ID != "":
			for _, id := range found[c.ID] {
				out[i].at = append(out[i].at, place{shipmentID: id})
			}
		default:
			// The official client names a service by its shipment only: it is understood where just one can be meant.
			at, err := g.onlyService(ctx, sellerID, c.ShipmentID)
			if err != nil {
				return nil, err
			}
			if at != nil {
				out[i].at = []place{*at}
			}
		}
		if out[i].code == "" && len(out[i].at) == 0 {
			out[i].code, out[i].message = notFound(action.Subject)
		}
		slices.SortFunc(out[i].at, func(a, b place) int { return compare(a.shipmentID, b.shipmentID) })
	}
	return out, nil
}

func notFound(s marketplace.Subject) (shipment.Code, string) {
	if s == marketplace.SubjectService {
		return shipment.CodeInvalidService, "no such service, or not one alone"
	}
	return shipment.CodeInvalidReturn, "no such return"
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
