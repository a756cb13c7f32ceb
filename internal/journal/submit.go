package journal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Command is a request to change one shipment, with its actor and its cause.
type Command struct {
	ShipmentID string
	Input      shipment.Input
	// Key is the caller's idempotency key for this shipment, or one of NewKey; empty means that none was given. It may not
	// begin with "auto/", and begins with "ephemeral/" only if NewKey made it.
	Key string
	// First says that nothing can have stored the command under its key yet. A repeat is refused if the lane may have
	// forgotten the answer to its key; a first attempt need not be.
	First bool
	// Hash is the digest of the input for this shipment: the same key with another hash is rejected.
	Hash events.Hash
	// SellerID is the tenant whose command it is; AuthType and AuthID are the actor.
	SellerID, AuthType, AuthID, CorrelationID, CausationID, TraceParent string
}

// Receipt is the outcome of a command, and where it is recorded.
type Receipt struct {
	ShipmentID string
	// Version is that of the last event it gave; 0 when it gave none.
	Version uint64
	Lane    int32
	// Offset is that of the last event in the events topic, or of the decision in the decisions topic where Version is 0.
	Offset  int64
	Outcome ledgerv1.Outcome
	// Reason and Message are empty if the command was simply accepted.
	Reason  shipment.Code
	Message string
	// Repeated says that the key had been answered before, and this is that answer.
	Repeated bool
}

// Result is the receipt of one of several commands, or the error.
type Result struct {
	Receipt Receipt
	Err     error
}

// call is a command on its way through a lane, and the place where its caller finds the result.
type call struct {
	cmd  Command
	key  string // The command's, or a generated one.
	lane *lane
	// queue is the seller in whose queue it waits.
	queue string

	state  atomic.Int32
	result Result
	done   chan struct{} // Closed once result is set.
}

// The states of a call. While a call is queued, its caller may give up: the command is certainly not stored. Once the
// lane has taken the call, only the lane knows.
const (
	callQueued int32 = iota
	callTaken
	callGone
)

func (j *Journal) newCall(c Command) (*call, error) {
	switch {
	case c.ShipmentID == "" || len(c.ShipmentID) > maxText:
		return nil, fmt.Errorf("%w: shipment id of %d bytes", ErrInvalid, len(c.ShipmentID))
	case c.Input == nil:
		return nil, fmt.Errorf("%w: no input", ErrInvalid)
	case strings.HasPrefix(c.Key, lanestore.GeneratedKey):
		return nil, fmt.Errorf("%w: key begins with %q", ErrInvalid, lanestore.GeneratedKey)
	}
	if err := lanestore.CheckEphemeral(c.Key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	c.Key = bounded(c.Key)
	for _, s := range []*string{&c.SellerID, &c.AuthType, &c.AuthID, &c.CorrelationID, &c.CausationID, &c.TraceParent} {
		*s = bounded(*s)
	}
	k := &call{cmd: c, key: c.Key, done: make(chan struct{})}
	if k.key == "" {
		k.key = j.keys.generated()
	}
	return k, nil
}

func (c *call) answer(r Receipt, err error) {
	c.result = Result{Receipt: r, Err: err}
	close(c.done)
}

// send hands calls to their lane together, so that they are decided in one transaction if they fit. If no lane takes
// them, it answers them with ErrNotOwner.
func (j *Journal) send(lane int32, calls []*call) {
	l := j.lanes.serving(lane)
	for _, c := range calls {
		if c.lane = l; l == nil {
			c.answer(Receipt{}, ErrNotOwner)
		}
	}
	if l != nil {
		l.intake.calls.put(calls)
	}
}

// wait returns the result of a call.
func (c *call) wait(ctx context.Context) Result {
	if c.lane == nil {
		return c.result // No lane took it.
	}
	select {
	case <-c.done:
		return c.result
	case <-ctx.Done():
		if c.state.CompareAndSwap(callQueued, callGone) {
			return Result{Err: fmt.Errorf("%w: %w", ErrLaneMoving, ctx.Err())}
		}
	case <-c.lane.gone:
		if c.state.CompareAndSwap(callQueued, callGone) {
			return Result{Err: ErrNotOwner}
		}
	}
	// The lane has taken it, and answers every call that it took before it ends. A caller whose context ends does not wait
	// for that: the command may be stored.
	select {
	case <-c.done:
		return c.result
	case <-ctx.Done():
		return Result{Err: fmt.Errorf("%w: %w", ErrInDoubt, ctx.Err())}
	}
}

// Submit decides a command in its lane and returns once the decision is durable. While the lane is being taken over it
// waits inside ctx. Errors: ErrNotOwner, ErrFenced, ErrLaneMoving and ErrInvalid say that this attempt stored nothing,
// ErrInDoubt that it may have. An earlier attempt with the same key may have: a repeat of an ephemeral key whose answer
// was dropped gets ErrInvalid.
func (j *Journal) Submit(ctx context.Context, c Command) (Receipt, error) {
	k, err := j.newCall(c)
	if err != nil {
		return Receipt{}, err
	}
	res := j.sendAndWait(ctx, []*call{k})[0]
	if res.Err != nil {
		return Receipt{}, fmt.Errorf("append shipment %s: %w", c.ShipmentID, res.Err)
	}
	return res.Receipt, nil
}

// SubmitAll is Submit for several commands, whose results it returns in their order. Those of one lane are decided in
// their order; lanes do not wait for one another.
func (j *Journal) SubmitAll(ctx context.Context, cmds []Command) []Result {
	results := make([]Result, len(cmds))
	byLane := map[int32][]int{}
	for i := range cmds {
		lane := events.Lane(cmds[i].ShipmentID, j.cfg.Lanes)
		byLane[lane] = append(byLane[lane], i)
	}
	var wg sync.WaitGroup
	for _, indexes := range byLane {
		wg.Go(func() { j.submitLane(ctx, cmds, indexes, results) })
	}
	wg.Wait()
	return results
}

func (j *Journal) submitLane(ctx context.Context, cmds []Command, indexes []int, results []Result) {
	calls, at := make([]*call, 0, len(indexes)), make([]int, 0, len(indexes))
	for _, i := range indexes {
		k, err := j.newCall(cmds[i])
		if err != nil {
			results[i].Err = err
			continue
		}
		calls, at = append(calls, k), append(at, i)
	}
	for n, res := range j.sendAndWait(ctx, calls) {
		if res.Err != nil {
			res.Err = fmt.Errorf("append shipment %s: %w", cmds[at[n]].ShipmentID, res.Err)
		}
		results[at[n]] = res
	}
}

// sendAndWait returns the results of calls of one lane, in their order.
func (j *Journal) sendAndWait(ctx context.Context, calls []*call) []Result {
	results := make([]Result, len(calls))
	for part := range slices.Chunk(calls, j.cfg.MaxBatch) {
		j.send(events.Lane(part[0].cmd.ShipmentID, j.cfg.Lanes), part)
	}
	for i, c := range calls {
		results[i] = c.wait(ctx)
	}
	return results
}
