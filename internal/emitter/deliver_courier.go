package emitter

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/webhook"
)

// courier serves one endpoint. Its state belongs to one goroutine, loop; everybody else hands it work:
//
//	poll ──accept──▶ ┌──────┐ ──work──▶ workers (POST) ──landings──▶ loop
//	rebalance ─do──▶ │ loop │ ──────▶ commit goroutine ──do──▶ loop
//	timer, beats ──▶ └──────┘
//
// The loop never waits for Kafka or for the endpoint.
type courier struct {
	endpoint Endpoint
	group    string
	config   DeliverConfig
	session  time.Duration
	options  []kgo.Opt
	post     *webhook.Client
	metrics  *deliverMetrics
	outcomes *outcomes
	log      *slog.Logger
	kafka    *kgo.Client

	calls    chan call
	work     chan *delivery
	landings chan landing
	beats    chan struct{} // one buffered: the session has been renewed
	lastBeat atomic.Int64  // when Kafka last heard of us and said so, in Unix nanoseconds
	running  atomic.Bool
	refused  atomic.Bool    // the last commit failed
	quit     chan struct{}  // closed to end the loop
	stopped  chan struct{}  // closed when the loop has ended
	busy     sync.WaitGroup // workers and commits

	// Of the loop alone.
	lanes      *scheduler
	partitions map[int32]*partition
	workers    int
	committing bool
	commitDue  time.Time // zero when nothing is to be committed
}

// call is a function for the loop to run; done is closed when it has.
type call struct {
	f    func()
	done chan struct{}
}

// landing is the end of an attempt.
type landing struct {
	d          *delivery
	verdict    webhook.Verdict
	retryAfter time.Duration
}

func newCourier(
	config DeliverConfig, endpoint Endpoint, group string, options []kgo.Opt, metrics *deliverMetrics, out *outcomes, log *slog.Logger,
) (*courier, error) {
	endpoint = endpoint.withDefaults()
	target, err := endpoint.webhook()
	if err != nil {
		return nil, err
	}
	post, err := webhook.New(target)
	if err != nil {
		return nil, err
	}
	session := config.SessionTimeout
	if session == 0 {
		session = endpoint.Timeout + 15*time.Second
	}
	return &courier{
		endpoint: endpoint, group: group, config: config, session: session, options: options,
		post: post, metrics: metrics, outcomes: out, log: log.With(slog.String("endpoint", endpoint.Name)),
		calls: make(chan call), beats: make(chan struct{}, 1),
		// Never more than MaxInFlight are on their way, so neither channel ever blocks its writer.
		work: make(chan *delivery, endpoint.MaxInFlight), landings: make(chan landing, endpoint.MaxInFlight),
		quit: make(chan struct{}), stopped: make(chan struct{}),
		lanes: newScheduler(endpoint.MaxInFlight), partitions: make(map[int32]*partition),
	}, nil
}

// do runs f in the loop and waits until it has run. It returns false, without running f, when the loop has ended.
func (c *courier) do(f func()) bool {
	done := make(chan struct{})
	select {
	case c.calls <- call{f, done}:
		<-done
		return true
	case <-c.stopped:
		return false
	}
}

// loop is the courier's one thread of decisions. It wakes for an event or for the next time something is due, never
// to look whether there is something to do.
func (c *courier) loop() {
	defer close(c.stopped)
	defer close(c.work)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		c.lanes.wake(now)
		c.dispatch(now)
		c.resume()
		c.commit(now)
		timer.Reset(c.sleep(now))
		select {
		case <-c.quit:
			return
		case call := <-c.calls:
			call.f()
			close(call.done)
		case l := <-c.landings:
			c.land(l)
			c.landRest()
		case <-c.beats:
		case <-timer.C:
		}
	}
}

// sleep returns how long nothing is due.
func (c *courier) sleep(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	if due, ok := c.lanes.nextDue(); ok && due.Before(next) {
		next = due
	}
	if !c.committing && !c.commitDue.IsZero() && c.commitDue.Before(next) {
		next = c.commitDue
	}
	return next.Sub(now)
}

// dispatch gives ready messages to workers while there are slots and the session is fresh.
func (c *courier) dispatch(now time.Time) {
	if !c.fresh(now) {
		return // The next beat wakes the loop.
	}
	for d := c.lanes.next(); d != nil; d = c.lanes.next() {
		d.attempts++
		if c.workers < c.lanes.inFlight {
			// Workers are kept: their stacks have grown to what net/http needs.
			c.workers++
			c.busy.Go(c.worker)
		}
		c.work <- d
	}
}

// fresh says whether a request that starts now ends before Kafka could give the partition to another member. Without
// this, a process cut off from Kafka would go on sending what its successor sends too, and older messages could
// arrive after newer ones.
func (c *courier) fresh(now time.Time) bool {
	return now.UnixNano()+int64(c.endpoint.Timeout) < c.lastBeat.Load()+int64(c.session)
}

// land takes the end of an attempt.
func (c *courier) land(l landing) {
	p := l.d.lane.partition
	if l.verdict == webhook.OK {
		c.lanes.landed(l.d)
		p.finish(l.d)
		c.changed()
	} else {
		now := time.Now()
		c.lanes.retry(l.d, now, now.Add(c.endpoint.wait(l.verdict, l.d.attempts, l.retryAfter)))
	}
	if p.flying == 0 && p.landed != nil {
		close(p.landed)
		p.landed = nil
	}
}

func (c *courier) landRest() {
	for {
		select {
		case l := <-c.landings:
			c.land(l)
		default:
			return
		}
	}
}

// changed notes that there is a position to commit.
func (c *courier) changed() {
	if c.commitDue.IsZero() {
		c.commitDue = time.Now().Add(c.config.CommitInterval)
	}
}

// resume fetches again where at least half of the room is free: pausing and resuming in small steps would fetch
// everything twice, because the client drops what it holds of a paused partition.
func (c *courier) resume() {
	for _, p := range c.partitions {
		if p.paused && !p.held && p.pending <= c.config.MaxPending/2 && !marksFull(p) {
			p.paused = false
			c.kafka.ResumeFetchPartitions(map[string][]int32{events.TopicSuborders: {p.number}})
		}
	}
}

// levels is for metrics.
func (c *courier) levels(now time.Time) levels {
	l := levels{inFlight: c.lanes.inFlight, ready: c.lanes.ready.length, waiting: len(c.lanes.waiting)}
	for _, p := range c.partitions {
		l.lag += p.lag()
		l.pending += p.pending
		if oldest := p.oldestFailure(); !oldest.IsZero() {
			l.oldest = max(l.oldest, now.Sub(oldest))
		}
	}
	return l
}
