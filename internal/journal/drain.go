package journal

import (
	"context"
	"fmt"
	"time"
)

// await blocks until there is something to decide and returns all there is, up to a batch. Commands and inbox records
// get half of a full batch each.
func (l *lane) await(ctx context.Context, expired <-chan time.Time) ([]*input, error) {
	inputs := l.takeRetry(make([]*input, 0, 16))
	if len(inputs) == 0 && len(l.carry) == 0 {
		select {
		case c := <-l.calls:
			inputs = l.take(inputs, c...)
		case f := <-l.owner.inbox.fetched:
			if err := l.fetched(f); err != nil {
				return nil, err
			}
		case done := <-l.releases:
			return nil, l.releaseTo(done)
		case <-l.again:
			return nil, errUnreadable
		case <-expired:
			return l.expired()
		case <-ctx.Done():
			return nil, nil
		}
	}
	most := l.j.cfg.MaxBatch
	if len(l.carry) > 0 {
		most = max(1, most-min(len(l.carry), most/2))
	}
	for len(inputs) < most {
		select {
		case c := <-l.calls:
			inputs = l.take(inputs, c...)
			continue
		default:
		}
		break
	}
	if len(l.carry) < l.j.cfg.MaxBatch { // Not while commands slow the inbox down: it would pile up here.
		select {
		case f := <-l.owner.inbox.fetched:
			if err := l.fetched(f); err != nil {
				return inputs, err
			}
		default:
		}
	}
	n := min(len(l.carry), max(1, l.j.cfg.MaxBatch-len(inputs)))
	inputs = append(inputs, l.carry[:n]...)
	l.carry = append(l.carry[:0], l.carry[n:]...)
	return inputs, nil
}

func (l *lane) takeRetry(inputs []*input) []*input {
	for _, c := range l.retry {
		inputs = l.take(inputs, c)
	}
	l.retry = nil
	return inputs
}

// take takes the calls whose callers still wait.
func (l *lane) take(inputs []*input, calls ...*call) []*input {
	for _, c := range calls {
		if c.state.CompareAndSwap(callQueued, callTaken) {
			inputs = append(inputs, l.commandInput(c))
		}
	}
	return inputs
}

// giveBack puts calls that were taken and not decided back into the queue.
func (l *lane) giveBack(inputs []*input) {
	for _, in := range inputs {
		if in.call == nil || in.settled {
			continue
		}
		if in.inDoubt {
			l.doubt = append(l.doubt, in.call)
			continue
		}
		in.call.state.Store(callQueued)
		l.retry = append(l.retry, in.call)
	}
}

func (l *lane) fetched(f fetched) error {
	if f.err != nil {
		return fmt.Errorf("read inbox lane %d: %w", l.id, f.err)
	}
	for _, rec := range f.records {
		r, foreign := readInbox(rec, l.j.cfg.Lanes)
		l.carry = append(l.carry, l.recordInput(r, foreign))
	}
	l.end.Store(max(l.end.Load(), f.end))
	return nil
}

func (l *lane) ahead(offset int64) bool { return l.aheadSet[offset] }
