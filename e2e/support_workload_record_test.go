package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/orderledger/orderledger/internal/demo"
)

// acceptedNotification is a notification that was answered with 200: the ledger has promised to decide it.
type acceptedNotification struct {
	key         string // As the answer names it.
	lane        int32
	inboxOffset int64
	unresolved  bool // It names only a return; its way into the inbox is longer.
}

// callAnswer is the answer to a seller's call for one shipment. A call that is repeated under its key has several
// answers, which must be equal.
type callAnswer struct {
	key, shipment string
	ok            bool
	code          string
	position      map[int32]int64 // Of the whole call.
}

// The codes of items without an outcome. The first may be stored; the second is certainly not.
const (
	codeInDoubt   = "OUTCOME_IN_DOUBT"
	codeNotStored = "DEPENDENT_SYSTEM_CALL_FAILED"
)

// ending is how a shipment must end.
type ending struct {
	status    string
	cancelled uint32 // Units.
}

// record is what the clients note of the promises that they got. It is kept outside of the ledger, and the counter
// compares the ledger with it.
type record struct {
	mu            sync.Mutex
	notifications []acceptedNotification // Guarded by mu, as all below but unanswered.
	answers       []callAnswer
	tried         map[string]bool   // Keys of all calls that were ever sent, as the ledger writes them.
	endings       map[string]ending // By shipment, if the client knows how it must end.
	violations    []string          // Answers that the API must not give.
	unanswered    atomic.Int64      // Calls that got no answer and were repeated.
}

func newRecord() *record {
	return &record{tried: map[string]bool{}, endings: map[string]ending{}}
}

func (r *record) addNotification(n acceptedNotification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notifications = append(r.notifications, n)
}

func (r *record) addAnswer(a callAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, a)
}

func (r *record) addTried(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried["seller/"+demo.OwnSeller+"/"+key] = true
}

func (r *record) expect(shipment string, e ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endings[shipment] = e
}

func (r *record) addViolation(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

// size returns how many notifications and answers there are.
func (r *record) size() (notifications, answers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.notifications), len(r.answers)
}
