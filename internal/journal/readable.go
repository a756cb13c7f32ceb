package journal

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
)

// readableEvery is how often it is looked whether readers reach the ends of the open lanes.
const readableEvery = 5 * time.Second

// errUnreadable says that readers stop before the end of a lane in which nothing is being written.
var errUnreadable = &lostError{err: errors.New("readers do not reach the lane's end: a marker may be lost")}

// reach holds the ends of a lane's events and decisions, as read_committed and read_uncommitted see them.
type reach struct{ stable, all [2]int64 }

// checkReadable has a lane taken over again whose readers stood at the same place before its end the last time too. An
// owner that decides often never gets there: its next transaction under the same id ends what is open. One that is idle
// would not notice that a broker has lost a marker, and everybody who reads its lane would wait.
func (j *Journal) checkReadable(ctx context.Context, before map[int32]reach) map[int32]reach {
	adm := kadm.NewClient(j.client)
	stable, err := adm.ListCommittedOffsets(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return before
	}
	all, err := adm.ListEndOffsets(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return before
	}
	stuck := map[int32]reach{}
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, l := range j.lanes {
		if !l.open.Load() {
			continue
		}
		var now reach
		for i, topic := range []string{events.TopicEvents, events.TopicDecisions} {
			s, ok1 := stable.Lookup(topic, id)
			a, ok2 := all.Lookup(topic, id)
			if ok1 && ok2 && s.Err == nil && a.Err == nil {
				now.stable[i], now.all[i] = s.Offset, a.Offset
			}
		}
		if now.stable == now.all {
			continue
		}
		stuck[id] = now
		if before[id] == now {
			select {
			case l.again <- struct{}{}:
			default:
			}
		}
	}
	return stuck
}
