package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

// fault is one thing that goes wrong and is repaired. begin reserves the part that it harms, or returns false if
// another fault holds that. The function that it returns does the harm and undoes it; the text describes the harm.
type fault struct {
	kind   string
	weight int
	begin  func(s *scenario, random *rand.Rand) (do func(ctx context.Context) error, what string, ok bool)
}

// between returns a random duration.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

// processFault is a fault of one of the services.
func processFault(kind string, weight int, pick func(s *scenario) []*program,
	harm func(p *program, random *rand.Rand) (do func(ctx context.Context) error, what string),
) fault {
	return fault{kind, weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		all := pick(s)
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

// stopLimit is how long a service may take to stop while everything around it fails.
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

func anyService(s *scenario) []*program { return s.services() }

func faultKillService() fault { return processFault("kill -9 of a service", 30, anyService, killed) }
func faultStopService() fault { return processFault("planned restart", 8, anyService, stopped) }
func faultFreeze() fault {
	return processFault("short freeze", 12, anyService, frozen(100*time.Millisecond, 3*time.Second))
}

func faultSleep() fault {
	return processFault("freeze beyond the session", 8, anyService, frozen(session+time.Second, session+4*time.Second))
}

// losable are the kinds of requests that may be lost, themselves or by their replies. Some are more likely than others.
func losable() []kmsg.Key {
	return []kmsg.Key{
		kmsg.EndTxn, kmsg.Produce, kmsg.EndTxn, kmsg.Produce, kmsg.InitProducerID, kmsg.OffsetCommit, kmsg.Fetch,
		kmsg.Heartbeat, kmsg.FindCoordinator, kmsg.Metadata, kmsg.ListOffsets, kmsg.JoinGroup, kmsg.SyncGroup,
		kmsg.OffsetFetch,
	}
}

// networkFault is a fault of the network between a service and the brokers.
func networkFault(kind string, weight int,
	harm func(p *brokerProxy, random *rand.Rand) (do func(ctx context.Context) error, what string),
) fault {
	return fault{kind, weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		all := s.services()
		p := all[random.IntN(len(all))]
		proxy := s.brokerProxies[p.name]
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
	return networkFault("lost requests and replies", 25, func(p *brokerProxy, random *rand.Rand) (func(context.Context) error, string) {
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
	return networkFault("cut off from Kafka", 8, func(p *brokerProxy, random *rand.Rand) (func(context.Context) error, string) {
		d := between(random, 100*time.Millisecond, session+3*time.Second)
		return func(ctx context.Context) error {
			p.Disable()
			after(ctx, d)
			p.Enable()
			return nil
		}, fmt.Sprintf("cut off from Kafka for %s", d.Round(time.Millisecond))
	})
}

// faultBroker kills a broker, which comes back with its data. Only one is down at a time.
func faultBroker(weight int) fault {
	return fault{"kill -9 of a broker", weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		if s.kafka.ctl == "" || !s.kafka.busy.TryLock() {
			return nil, "", false
		}
		n, away := 1+random.IntN(s.kafka.n), between(random, 0, 2*time.Second)
		return func(ctx context.Context) error {
			defer s.kafka.busy.Unlock()
			return s.kafka.restart(ctx, n, away)
		}, fmt.Sprintf("broker %d killed for %s", n, away.Round(time.Millisecond)), true
	}}
}

// restart kills a broker, waits, and starts it again even if the test ends meanwhile.
func (b *brokers) restart(ctx context.Context, n int, away time.Duration) error {
	if err := b.kill(ctx, n); err != nil {
		return err
	}
	after(ctx, away)
	return b.revive(context.WithoutCancel(ctx), n)
}

// faultClickHouse makes ClickHouse unavailable: killed, frozen or unreachable.
func faultClickHouse(weight int, least, most time.Duration) fault {
	return fault{"ClickHouse unavailable", weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		if !s.clickhouse.busy.TryLock() {
			return nil, "", false
		}
		d, how := between(random, least, most), random.IntN(3)
		if s.clickhouse.process == nil {
			how = 2
		}
		return func(ctx context.Context) error {
			defer s.clickhouse.busy.Unlock()
			switch how {
			case 0:
				s.clickhouse.process.kill()
				after(ctx, d)
				s.clickhouse.process.start()
			case 1:
				s.clickhouse.process.pause()
				after(ctx, d)
				s.clickhouse.process.resume()
			default:
				s.clickhouse.proxy.Disable()
				after(ctx, d)
				return s.clickhouse.proxy.Enable()
			}
			return nil
		}, fmt.Sprintf("ClickHouse %s for %s", [...]string{"killed", "frozen", "unreachable"}[how], d.Round(time.Millisecond)), true
	}}
}

// faultReceiver makes the receiver unavailable: unreachable, or failing all requests.
func faultReceiver(weight int, least, most time.Duration) fault {
	return fault{"receiver unavailable", weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		if !s.receiver.busy.TryLock() {
			return nil, "", false
		}
		d, how := between(random, least, most), random.IntN(3)
		return func(ctx context.Context) error {
			defer s.receiver.busy.Unlock()
			switch how {
			case 0:
				s.receiver.proxy.Disable()
				after(ctx, d)
				return s.receiver.proxy.Enable()
			case 1:
				s.receiver.Fail("", testkit.Failure{Status: 503, Times: -1})
			default:
				s.receiver.Fail("", testkit.Failure{Times: -1})
			}
			after(ctx, d)
			s.receiver.ClearFailures("")
			return nil
		}, fmt.Sprintf("receiver %s for %s", [...]string{"unreachable", "answers 503", "cuts connections"}[how], d.Round(time.Millisecond)), true
	}}
}

// faultExtraInstance lets one more instance join and leave again, in order or by a kill. The groups move lanes and
// partitions to it and back.
func faultExtraInstance(weight int) fault {
	return fault{"extra instance", weight, func(s *scenario, random *rand.Rand) (func(context.Context) error, string, bool) {
		kinds := []func(string, bool) *program{s.ingest, s.projector, s.emitter}
		kind, stay, kill := random.IntN(3), between(random, time.Second, 6*time.Second), random.IntN(2) == 0
		name := fmt.Sprintf("extra-%d", s.extras.Add(1))
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
		}, fmt.Sprintf("%s, an extra %s, joins for %s", name, [...]string{"ingest", "projector", "emitter"}[kind], stay.Round(time.Millisecond)), true
	}}
}
