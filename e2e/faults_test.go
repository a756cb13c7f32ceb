package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

// fault is one thing that goes wrong and is made good again. begin takes what it needs, or reports false when that is
// in the hands of another fault; what it returns does the harm and undoes it, and says what it did.
type fault struct {
	kind   string
	weight int
	begin  func(r *run, random *rand.Rand) (do func(ctx context.Context) error, what string, ok bool)
}

// between returns a random time.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// aProcess is a fault of one of the services.
func aProcess(kind string, weight int, pick func(r *run) []*program,
	harm func(p *program, random *rand.Rand) (do func(ctx context.Context) error, what string),
) fault {
	return fault{kind, weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		all := pick(r)
		p := all[random.IntN(len(all))]
		if !p.busy.TryLock() {
			return nil, "", false
		}
		do, what := harm(p, random)
		return func(ctx context.Context) error {
			defer p.busy.Unlock()
			return do(ctx)
		}, p.name + " " + what, true
	}}
}

func killed(p *program, random *rand.Rand) (func(context.Context) error, string) {
	away := between(random, 0, 1500*time.Millisecond)
	return func(ctx context.Context) error {
		p.kill()
		after(ctx, away)
		p.start()
		return nil
	}, fmt.Sprintf("killed for %s", away.Round(time.Millisecond))
}

// stopLimit is how long a service may take to stop in order while all around it fails.
const stopLimit = time.Minute

func stopped(p *program, random *rand.Rand) (func(context.Context) error, string) {
	away := between(random, 0, 500*time.Millisecond)
	return func(ctx context.Context) error {
		took, err := p.stop(stopLimit)
		if took > 15*time.Second {
			p.t.Logf("%s took %.1f s to stop", p.name, took.Seconds())
		}
		after(ctx, away)
		p.start()
		return err
	}, "stopped and started"
}

func frozen(least, most time.Duration) func(p *program, random *rand.Rand) (func(context.Context) error, string) {
	return func(p *program, random *rand.Rand) (func(context.Context) error, string) {
		d := between(random, least, most)
		return func(ctx context.Context) error {
			p.pause()
			after(ctx, d)
			p.resume()
			return nil
		}, fmt.Sprintf("frozen for %s", d.Round(time.Millisecond))
	}
}

func anyService(r *run) []*program { return r.services() }

func faultKillService() fault { return aProcess("kill -9 of a service", 30, anyService, killed) }
func faultStopService() fault { return aProcess("planned restart", 8, anyService, stopped) }
func faultFreeze() fault {
	return aProcess("short freeze", 12, anyService, frozen(100*time.Millisecond, 3*time.Second))
}

func faultSleep() fault {
	return aProcess("freeze beyond the session", 8, anyService, frozen(session+time.Second, session+4*time.Second))
}

// losable are the kinds whose requests and replies are lost.
func losable() []kmsg.Key {
	return []kmsg.Key{
		kmsg.EndTxn, kmsg.Produce, kmsg.EndTxn, kmsg.Produce, kmsg.InitProducerID, kmsg.OffsetCommit, kmsg.Fetch, kmsg.Heartbeat,
		kmsg.FindCoordinator, kmsg.Metadata, kmsg.ListOffsets, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetFetch,
	}
}

// onWire is a fault of the network between a service and the brokers.
func onWire(kind string, weight int, harm func(p *brokerProxy, random *rand.Rand) (func(context.Context) error, string)) fault {
	return fault{kind, weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		all := r.services()
		p := all[random.IntN(len(all))]
		proxy := r.brokerProxies[p.name]
		if proxy == nil || !proxy.busy.TryLock() {
			return nil, "", false
		}
		do, what := harm(proxy, random)
		return func(ctx context.Context) error {
			defer proxy.busy.Unlock()
			return do(ctx)
		}, p.name + " " + what, true
	}}
}

func faultLose() fault {
	return onWire("lost requests and replies", 25, func(p *brokerProxy, random *rand.Rand) (func(context.Context) error, string) {
		key := losable()[random.IntN(len(losable()))]
		n, requests := 1+random.IntN(4), random.IntN(3) == 0
		d := between(random, 200*time.Millisecond, 2*time.Second)
		what := "replies"
		if requests {
			what = "requests"
		}
		return func(ctx context.Context) error {
			if requests {
				p.DropRequests(key, n)
			} else {
				p.DropReplies(key, n)
			}
			after(ctx, d)
			p.Heal()
			return nil
		}, fmt.Sprintf("loses up to %d %s of %s", n, what, kmsg.NameForKey(int16(key)))
	})
}

func faultCut() fault {
	return onWire("cut off from Kafka", 8, func(p *brokerProxy, random *rand.Rand) (func(context.Context) error, string) {
		d := between(random, 100*time.Millisecond, session+3*time.Second)
		return func(ctx context.Context) error {
			p.Disable()
			after(ctx, d)
			p.Enable()
			return nil
		}, fmt.Sprintf("is cut off from Kafka for %s", d.Round(time.Millisecond))
	})
}

// faultBroker kills a broker, which comes back with its data. One is down at a time.
func faultBroker(weight int) fault {
	return fault{"kill -9 of a broker", weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		if r.kafka.ctl == "" || !r.kafka.busy.TryLock() {
			return nil, "", false
		}
		n, away := 1+random.IntN(r.kafka.n), between(random, 0, 2*time.Second)
		return func(ctx context.Context) error {
			defer r.kafka.busy.Unlock()
			return r.kafka.bounce(ctx, n, away)
		}, fmt.Sprintf("broker %d killed for %s", n, away.Round(time.Millisecond)), true
	}}
}

// bounce kills a broker, waits, and starts it again whatever happens between.
func (b *brokers) bounce(ctx context.Context, n int, away time.Duration) error {
	if err := b.kill(ctx, n); err != nil {
		return err
	}
	after(ctx, away)
	return b.revive(context.WithoutCancel(ctx), n)
}

// faultClickHouse takes ClickHouse away: killed, frozen, or out of reach.
func faultClickHouse(weight int, least, most time.Duration) fault {
	return fault{"ClickHouse away", weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		if !r.clickhouseBusy.TryLock() {
			return nil, "", false
		}
		d, how := between(random, least, most), random.IntN(3)
		if r.clickhouse == nil {
			how = 2
		}
		return func(ctx context.Context) error {
			defer r.clickhouseBusy.Unlock()
			switch how {
			case 0:
				r.clickhouse.kill()
				after(ctx, d)
				r.clickhouse.start()
			case 1:
				r.clickhouse.pause()
				after(ctx, d)
				r.clickhouse.resume()
			default:
				r.clickhouseProxy.Disable()
				after(ctx, d)
				return r.clickhouseProxy.Enable()
			}
			return nil
		}, fmt.Sprintf("ClickHouse %s for %s", [...]string{"killed", "frozen", "out of reach"}[how], d.Round(time.Millisecond)), true
	}}
}

// faultReceiver takes the receiver away: out of reach, or answering that it is.
func faultReceiver(weight int, least, most time.Duration) fault {
	return fault{"receiver away", weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		if !r.receiverBusy.TryLock() {
			return nil, "", false
		}
		d, how := between(random, least, most), random.IntN(3)
		return func(ctx context.Context) error {
			defer r.receiverBusy.Unlock()
			switch how {
			case 0:
				r.receiverProxy.Disable()
				after(ctx, d)
				return r.receiverProxy.Enable()
			case 1:
				r.receiver.Fail("", testkit.Failure{Status: 503, Times: -1})
			default:
				r.receiver.Fail("", testkit.Failure{Times: -1})
			}
			after(ctx, d)
			r.receiver.ClearFailures("")
			return nil
		}, fmt.Sprintf("receiver %s for %s", [...]string{"out of reach", "answers 503", "cuts connections"}[how], d.Round(time.Millisecond)), true
	}}
}

// faultVisitor lets a further instance join and leave again, in order or by a kill: the groups move lanes and
// partitions.
func faultVisitor(weight int) fault {
	return fault{"a further instance", weight, func(r *run, random *rand.Rand) (func(context.Context) error, string, bool) {
		kinds := []func(string, bool) *program{r.ingest, r.projector, r.emitter}
		kind, stay, kill := random.IntN(3), between(random, time.Second, 6*time.Second), random.IntN(2) == 0
		name := fmt.Sprintf("visitor-%d", r.visitors.Add(1))
		p := kinds[kind](name, false)
		return func(ctx context.Context) error {
			p.start()
			after(ctx, stay)
			if kill {
				p.kill()
				return nil
			}
			_, err := p.stop(stopLimit)
			return err
		}, fmt.Sprintf("%s, a further %s, stays for %s", name, [...]string{"ingest", "projector", "emitter"}[kind], stay.Round(time.Millisecond)), true
	}}
}
