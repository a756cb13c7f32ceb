package journal

// This file stands in for the journal's side of several instances until that lands. It is dropped then.

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// generatedForwarded starts keys that NewKey makes; they are looked up, other generated keys are not.
const generatedForwarded = generatedKey + "fwd/"

var stubs = struct { //nolint:gochecknoglobals // Dropped with the file.
	sync.Mutex
	all map[string][]*Journal
}{all: map[string][]*Journal{}}

func (j *Journal) stubKey() string {
	return fmt.Sprint(j.client.OptValue("SeedBrokers"), j.cfg.Cluster)
}

// stubRegister is called by Run.
func (j *Journal) stubRegister() func() {
	key := j.stubKey()
	stubs.Lock()
	defer stubs.Unlock()
	stubs.all[key] = append(stubs.all[key], j)
	return func() {
		stubs.Lock()
		defer stubs.Unlock()
		list := stubs.all[key]
		for i := range list {
			if list[i] == j {
				stubs.all[key] = append(list[:i:i], list[i+1:]...)
				return
			}
		}
	}
}

// Owner says who should have a lane now.
type Owner struct {
	URL  string // Its Advertise; empty when it has none.
	Self bool
}

// Owner returns the owner of a lane.
func (j *Journal) Owner(ctx context.Context, lane int32) (Owner, error) {
	for {
		if j.owned(lane) != nil {
			return Owner{URL: j.cfg.Advertise, Self: true}, nil
		}
		j.mu.Lock()
		running := j.group != nil
		j.mu.Unlock()
		if running {
			stubs.Lock()
			list := stubs.all[j.stubKey()]
			stubs.Unlock()
			for _, other := range list {
				if other != j && other.owned(lane) != nil {
					return Owner{URL: other.cfg.Advertise}, nil
				}
			}
		}
		wait(ctx, 5*time.Millisecond)
		if ctx.Err() != nil {
			return Owner{}, fmt.Errorf("owner of lane %d: %w", lane, ctx.Err())
		}
	}
}

// OwnerWrong says that an answer of Owner proved wrong.
func (j *Journal) OwnerWrong(int32, Owner) {}

// NewKey returns a key that no other command ever had.
func (j *Journal) NewKey() string {
	return generatedForwarded + j.nonce + "/" + strconv.FormatUint(j.keys.Add(1), 10)
}

func isForwardedKey(key string) bool { return strings.HasPrefix(key, generatedForwarded) }

// Release finishes the batch in hand and closes the lane.
func (j *Journal) Release(_ context.Context, lane int32) error {
	j.revoke([]int32{lane})
	return nil
}

// HandOver leaves the owners' group.
func (j *Journal) HandOver(ctx context.Context) error {
	j.mu.Lock()
	group := j.group
	j.mu.Unlock()
	if group == nil {
		return nil
	}
	return group.LeaveGroupContext(ctx)
}
