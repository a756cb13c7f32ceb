package membership

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Owner is the instance that should be asked about a lane.
type Owner struct {
	// URL is its Config.Advertise; empty when it can't be reached.
	URL string
	// Self says that it is this instance.
	Self bool
}

// Owner returns the instance to ask about a lane: this one if it serves the lane and was not reported wrong, otherwise
// the one that last took it, if that is still a member, and then the one to which the group assigns it. So a lane whose
// new owner still reads it is asked of the one that serves it. If it knows no owner, or a wrong one, it asks the group.
// While there is no owner it waits inside ctx.
func (m *Membership) Owner(ctx context.Context, lane int32) (Owner, error) {
	for {
		e := m.owners.lookup(lane)
		elsewhere := e.known && !e.owner.Self
		switch {
		case e.fresh && e.wrong && elsewhere: // The group has answered since: that counts even if the lane is served here.
			return e.owner, nil
		case e.fresh && m.cfg.Serves(lane):
			return m.self(), nil
		case e.fresh && elsewhere: // A lane that was here and is not served any more has another owner, or will have one.
			return e.owner, nil
		case e.fresh && e.known && m.cfg.Has(lane): // Nobody else serves it, and this instance is about to.
			return m.self(), nil
		}
		select {
		case <-time.After(time.Until(e.due)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return Owner{}, errors.Join(ctx.Err(), m.owners.lastError())
		}
		m.refresh(ctx)
		if m.owners.answeredAfter(e.wrongAt) {
			continue
		}
		// The group is in the middle of a rebalance. Until it answers, the lane may still be where it was.
		switch {
		case m.cfg.Serves(lane):
			return m.self(), nil
		case elsewhere:
			return e.owner, nil
		case m.cfg.Has(lane):
			return m.self(), nil
		}
	}
}

// OwnerWrong reports that an answer of Owner was wrong: that instance did not own the lane, or could not be reached.
// The next Owner of this lane asks the group.
func (m *Membership) OwnerWrong(lane int32, was Owner) { m.owners.reportWrong(lane, was) }

func (m *Membership) self() Owner { return Owner{URL: m.cfg.Advertise, Self: true} }

// askTimeout bounds one request to the group.
const askTimeout = 2 * time.Second

// refresh asks the group, unless another caller has, and returns when the request is answered or has failed.
func (m *Membership) refresh(ctx context.Context) {
	asking, first := m.owners.begin()
	if first {
		// The request outlives this caller: others wait for the answer too.
		go m.fetch(context.WithoutCancel(ctx), asking)
	}
	select {
	case <-asking:
	case <-ctx.Done():
	}
}

func (m *Membership) fetch(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	began := time.Now()
	g, err := m.describe(ctx)
	owners := map[int32]holders{}
	if err == nil {
		owners = m.holders(ctx, g)
	}
	m.owners.update(owners, began, err)
	close(done)
}

// holders are the instances that may serve a lane.
type holders struct {
	assigned Owner // Whom the group names.
	taker    Owner // The last one to take it, if that is another instance and still a member; zero if not.
}

// holders returns the instances that may serve each lane.
func (m *Membership) holders(ctx context.Context, g *kadm.DescribedGroup) map[int32]holders {
	of := map[int32]holders{}
	members := map[string]bool{}
	me := m.memberID()
	for i := range g.Members {
		member := &g.Members[i]
		owner := Owner{URL: joined(member).URL, Self: member.MemberID == me && me != ""}
		if !owner.Self && owner.URL != "" {
			members[owner.URL] = true
		}
		for _, lane := range assignedLanes(member) {
			of[lane] = holders{assigned: owner}
		}
	}
	takers, err := m.lastOwners(ctx)
	if err != nil {
		return of // The assignment alone costs callers a wait, not an answer.
	}
	for lane, h := range of {
		if url := takers[lane]; url != h.assigned.URL && members[url] {
			h.taker = Owner{URL: url}
			of[lane] = h
		}
	}
	return of
}

// ownerDirectory caches what the group last said about who should own which lane. It may be wrong at any time, which
// costs a detour: a caller that was sent to the wrong instance reports it, and the group is asked again.
type ownerDirectory struct {
	mu     sync.Mutex
	of     map[int32]Owner       // Guarded by mu.
	asked  time.Time             // When the request was sent that the group last answered; guarded by mu.
	tried  time.Time             // When the group was last asked; guarded by mu.
	wrong  map[int32]wrongReport // The last report that an entry was wrong; guarded by mu.
	err    error                 // Why the group did not answer the last time; guarded by mu.
	asking chan struct{}         // Closed when the request in flight is answered; nil for none. Guarded by mu.
}

// wrongReport says that an instance did not serve a lane.
type wrongReport struct {
	at  time.Time
	was Owner
}

// entry is what the directory holds about a lane.
type entry struct {
	owner   Owner
	known   bool
	wrong   bool      // It was reported wrong,
	wrongAt time.Time // then.
	fresh   bool      // The group has answered since.
	due     time.Time // When the group may be asked again.
}

// refreshEvery is the shortest time between two requests to the group, however many callers need the answer.
const refreshEvery = 25 * time.Millisecond

func (d *ownerDirectory) lookup(lane int32) entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	var e entry
	wrong, reported := d.wrong[lane]
	e.wrongAt, e.wrong = wrong.at, reported
	e.owner, e.known = d.of[lane]
	e.fresh = !e.wrong || d.asked.After(e.wrongAt)
	e.due = d.tried.Add(refreshEvery)
	return e
}

// trust drops the reports against lanes that the group has just assigned to this instance or taken from it, and what it
// held about this instance: another one may serve them now.
func (d *ownerDirectory) trust(lanes []int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, lane := range lanes {
		delete(d.wrong, lane)
		if d.of[lane].Self {
			delete(d.of, lane)
		}
	}
}

func (d *ownerDirectory) answeredAfter(t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked.After(t)
}

func (d *ownerDirectory) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *ownerDirectory) reportWrong(lane int32, was Owner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now, known := d.of[lane]; known && now != was && !was.Self {
		return // It has been corrected meanwhile.
	}
	if d.wrong == nil {
		d.wrong = map[int32]wrongReport{}
	}
	d.wrong[lane] = wrongReport{time.Now(), was}
}

// begin returns the channel that is closed with the next answer, and whether the caller is the one to ask for it.
func (d *ownerDirectory) begin() (asking chan struct{}, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asking != nil {
		return d.asking, false
	}
	d.asking, d.tried = make(chan struct{}), time.Now()
	return d.asking, true
}

// update takes the group's answer to a request that was sent at a time, or the error. A lane that no member has keeps
// its last owner, which may serve it until it has another.
func (d *ownerDirectory) update(answer map[int32]holders, asked time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking, d.err = nil, err
	if err != nil {
		return
	}
	if d.of == nil {
		d.of = map[int32]Owner{}
	}
	for lane, h := range answer {
		// The instance that the group names may still be reading the lane, while the last owner serves it. So an owner is
		// believed until it is reported wrong.
		wrong := d.wrong[lane]
		isNew := wrong.at.After(d.asked)
		if old, known := d.of[lane]; known && !old.Self && !isNew {
			continue
		}
		// Of two that may serve it, the other one than was just reported. Each report turns to the other one again.
		if h.taker != (Owner{}) && (!isNew || wrong.was != h.taker) {
			d.of[lane] = h.taker
		} else {
			d.of[lane] = h.assigned
		}
	}
	d.asked = asked
}
