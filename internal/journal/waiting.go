package journal

import (
	"slices"
	"strconv"
	"time"
)

// expireAtOnce bounds how many inputs one batch ends by age.
const expireAtOnce = 500

// nextExpiry finds out when the oldest waiting input is too old.
func (l *lane) nextExpiry() error {
	l.expiry = time.Time{}
	if l.store.meta.Waiting == 0 {
		return nil
	}
	oldest, err := l.store.oldestWaiting(1)
	if err != nil {
		return &lostError{err: err, store: true}
	}
	if len(oldest) > 0 {
		l.expiry = oldest[0].RecordedAt.Add(l.j.cfg.WaitingLimit)
	}
	return nil
}

func (l *lane) untilExpiry() time.Duration {
	if l.expiry.IsZero() {
		return time.Hour
	}
	return max(0, min(l.expiry.Sub(l.j.deps.Now()), time.Second))
}

// expired returns what has waited too long, counted from when it was recorded.
func (l *lane) expired() ([]*input, error) {
	if l.expiry.IsZero() || l.j.deps.Now().Before(l.expiry) {
		return nil, nil
	}
	oldest, err := l.store.oldestWaiting(expireAtOnce)
	if err != nil {
		return nil, &lostError{err: err, store: true}
	}
	var inputs []*input
	for _, w := range oldest {
		if !l.j.deps.Now().Before(w.RecordedAt.Add(l.j.cfg.WaitingLimit)) {
			inputs = append(inputs, l.waitingInput(w, true))
		}
	}
	return inputs, nil
}

// applyWaiting decides again what waits for a shipment that is known. There is none unless a batch was left in parts:
// by the death of an embedded broker, or by a record that no broker took.
func (l *lane) applyWaiting() error {
	if l.store.meta.Waiting == 0 {
		return nil
	}
	var ids []string
	err := l.store.waitingShipments(func(id string) error {
		_, ok, err := l.store.get(stateKey(id))
		if ok {
			ids = append(ids, id)
		}
		return err
	})
	if err != nil {
		return &lostError{err: err, store: true}
	}
	for _, id := range ids {
		if err := l.applyWaitingOf(id); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) applyWaitingOf(id string) error {
	list, err := l.store.waitingFor(id)
	if err != nil {
		return &lostError{err: err, store: true}
	}
	inputs := make([]*input, 0, len(list))
	for _, w := range list {
		inputs = append(inputs, l.waitingInput(w, false))
	}
	for part := range slices.Chunk(inputs, l.j.cfg.MaxBatch) {
		if err := l.process(part); err != nil {
			return err
		}
	}
	return nil
}

// observe sets the lane's gauges.
func (l *lane) observe() {
	lane := strconv.Itoa(int(l.id))
	l.j.metrics.waiting.WithLabelValues(lane).Set(float64(l.store.meta.Waiting))
	l.j.metrics.inboxLag.WithLabelValues(lane).Set(float64(max(0, l.end.Load()-l.inboxNext)))
}
