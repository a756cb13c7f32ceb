package journal

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// doubtID names a command in doubt. The hash is in it because a key that was used for another input has an answer too.
func doubtID(shipmentID, key string, hash events.Hash) answerID {
	return answerID{shipmentID, key + "\x00" + string(hash[:])}
}

// note remembers a decision that answers a command in doubt. After an unknown commit the store is still where it was
// before, so the takeover reads every record that the commit may have written. It reads each only once, even if it is
// the next attempt that ends well, so what was found is kept until the doubt is settled.
func (l *lane) note(env *events.Envelope, d *ledgerv1.Decision, offset int64) {
	if len(l.doubt) == 0 {
		return
	}
	a := answerOf(d, offset)
	r := l.noted(env.ShipmentID, d.GetInputKey(), a.hash)
	if r == nil {
		return
	}
	at := r.Offset
	r.fill(&a)
	if a.last > 0 {
		r.Offset = at // Of the event, which may have been read before.
	}
}

// noteEvent remembers where the events of a command in doubt are.
func (l *lane) noteEvent(env *events.Envelope, offset int64) {
	if len(l.doubt) == 0 {
		return
	}
	if r := l.noted(env.ShipmentID, env.InputKey, env.InputHash); r != nil {
		r.Offset = offset
	}
}

func (l *lane) noted(shipmentID, key string, hash events.Hash) *Receipt {
	id := doubtID(shipmentID, key, hash)
	if r := l.found[id]; r != nil {
		return r
	}
	for _, c := range l.doubt {
		if c.key == key && c.cmd.ShipmentID == shipmentID && c.cmd.Hash == hash {
			if l.found == nil {
				l.found = map[answerID]*Receipt{}
			}
			r := &Receipt{ShipmentID: shipmentID, Lane: l.id}
			l.found[id] = r
			return r
		}
	}
	return nil
}

// settleDoubt answers the commands in doubt that were stored. The others certainly were not, and are decided again.
func (l *lane) settleDoubt() {
	for _, c := range l.doubt {
		r := l.found[doubtID(c.cmd.ShipmentID, c.key, c.cmd.Hash)]
		if r == nil || r.Outcome == ledgerv1.Outcome_OUTCOME_UNSPECIFIED {
			c.state.Store(callQueued)
			l.retry = append(l.retry, c)
			continue
		}
		c.answer(*r, nil)
	}
	l.doubt, l.found = nil, nil
}
