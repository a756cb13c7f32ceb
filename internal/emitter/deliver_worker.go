package emitter

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/webhook"
)

// endpointWorker serves one endpoint. One goroutine, loop, owns its state; all other goroutines pass work to it:
//
//	poll ───────accept──▶ ┌──────┐ ──send────▶ senders (POST) ──completions──▶ loop
//	rebalance ──do──────▶ │ loop │ ──commit──▶ commit goroutine ──do──▶ loop
//	timer, session ─────▶ └──────┘
//
// The loop never waits for Kafka or for the endpoint.
type endpointWorker struct {
	endpoint Endpoint
	group    string
	config   DeliverConfig
	options  []kgo.Opt
	metrics  *deliverMetrics
	outcomes *outcomes // Nil when they are not recorded.
	log      *slog.Logger
	kafka    *kgo.Client

	loopCalls
	session *session
	senders *senders
	running atomic.Bool

	startState startState
	// For the callbacks of an assignment: starts that the client must fetch from, and whether this process has recorded
	// that the endpoint has started.
	adjusted      map[int32]int64
	startRecorded bool

	// Owned by the loop.
	scheduler  *scheduler
	partitions map[int32]*partition
	commits    commitState
}

// loopCalls lets other goroutines run functions in a loop.
type loopCalls struct {
	calls   chan call
	quit    chan struct{} // Closed to end the loop.
	stopped chan struct{} // Closed when the loop has ended.
}

// call is a function for the loop to run; done is closed when it has returned.
type call struct {
	f    func()
	done chan struct{}
}

// do runs f in the loop and waits until it has returned. When the loop has ended, it returns false without running f.
func (c *loopCalls) do(f func()) bool {
	done := make(chan struct{})
	select {
	case c.calls <- call{f, done}:
		<-done
		return true
	case <-c.stopped:
		return false
	}
}

// commitState is what the loop knows about its commits.
type commitState struct {
	due        time.Time // Zero when there is nothing to commit.
	inProgress bool
	failed     atomic.Bool    // The last commit failed. Not only for the loop.
	running    sync.WaitGroup // The commit goroutine.
}

func newEndpointWorker(
	config DeliverConfig, endpoint Endpoint, group string,
	options []kgo.Opt, metrics *deliverMetrics, out *outcomes, log *slog.Logger,
) (*endpointWorker, error) {
	endpoint = endpoint.withDefaults()
	target, err := endpoint.webhook()
	if err != nil {
		return nil, err
	}
	client, err := webhook.New(target)
	if err != nil {
		return nil, err
	}
	timeout := config.SessionTimeout
	if timeout == 0 {
		timeout = endpoint.Timeout + 15*time.Second
	}
	log = log.With(slog.String("endpoint", endpoint.Name))
	return &endpointWorker{
		endpoint: endpoint, group: group, config: config, options: options,
		metrics: metrics, outcomes: out, log: log,
		loopCalls: loopCalls{calls: make(chan call), quit: make(chan struct{}), stopped: make(chan struct{})},
		session:   newSession(timeout),
		senders:   newSenders(endpoint, client, metrics, out, log),
		scheduler: newScheduler(endpoint.MaxInFlight), partitions: make(map[int32]*partition),
		startState: startState{log: rate.Sometimes{First: 1, Interval: time.Minute}}, adjusted: make(map[int32]int64),
	}, nil
}

// loop makes all decisions of the worker in one goroutine. It wakes up for an event, or when the next thing is due; it
// does not poll.
func (w *endpointWorker) loop() {
	defer close(w.stopped)
	defer w.senders.stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		w.scheduler.wake(now)
		w.dispatch(now)
		w.resume()
		w.commit(now)
		timer.Reset(w.sleep(now))
		select {
		case <-w.quit:
			return
		case call := <-w.calls:
			call.f()
			close(call.done)
		case c := <-w.senders.completions:
			w.complete(c)
			w.completeRest()
		case <-w.session.renewals:
		case <-timer.C:
		}
	}
}

// sleep returns the time until the next thing is due.
func (w *endpointWorker) sleep(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	if due, ok := w.scheduler.nextDue(); ok && due.Before(next) {
		next = due
	}
	if c := &w.commits; !c.inProgress && !c.due.IsZero() && c.due.Before(next) {
		next = c.due
	}
	return next.Sub(now)
}

// dispatch passes ready messages to the senders while there are free slots and the session outlasts a request.
func (w *endpointWorker) dispatch(now time.Time) {
	// Without this check, a process that is cut off from Kafka would go on sending the messages that its successor also
	// sends, and older messages could arrive after newer ones. The next renewal wakes the loop.
	if !w.session.outlasts(now.Add(w.endpoint.Timeout)) {
		return
	}
	for d := w.scheduler.next(); d != nil; d = w.scheduler.next() {
		d.attempts++
		w.senders.send(d, w.scheduler.inFlight)
	}
}

// complete handles the end of an attempt.
func (w *endpointWorker) complete(c completion) {
	d, p := c.delivery, c.delivery.queue.partition
	if c.verdict == webhook.OK {
		w.scheduler.completed(d)
		p.complete(d)
		w.changed()
	} else {
		now := time.Now()
		w.scheduler.retry(d, now, now.Add(w.endpoint.wait(c.verdict, d.attempts, c.retryAfter)))
	}
	if p.inFlight == 0 && p.drained != nil {
		close(p.drained)
		p.drained = nil
	}
}

// completeRest handles the completions that have already arrived, so that one turn of the loop serves them all.
func (w *endpointWorker) completeRest() {
	for {
		select {
		case c := <-w.senders.completions:
			w.complete(c)
		default:
			return
		}
	}
}

// changed schedules a commit.
func (w *endpointWorker) changed() {
	if w.commits.due.IsZero() {
		w.commits.due = time.Now().Add(w.config.CommitInterval)
	}
}

// resume resumes fetching for partitions that have room for half of MaxPending again. The client discards its buffer of
// a paused partition, so pausing and resuming in smaller steps would fetch everything twice.
func (w *endpointWorker) resume() {
	for _, p := range w.partitions {
		if p.paused && !p.draining && p.pending.length <= w.config.MaxPending/2 && !completedFull(p) {
			p.paused = false
			w.kafka.ResumeFetchPartitions(map[string][]int32{events.TopicSuborders: {p.number}})
		}
	}
}

// levels returns the current values of the gauges.
func (w *endpointWorker) levels(now time.Time) levels {
	l := levels{inFlight: w.scheduler.inFlight, ready: w.scheduler.ready.length, waiting: len(w.scheduler.waiting)}
	for _, p := range w.partitions {
		l.lag += p.lag()
		l.pending += p.pending.length
		if oldest := p.oldestFailure(); !oldest.IsZero() {
			l.oldest = max(l.oldest, now.Sub(oldest))
		}
	}
	return l
}
