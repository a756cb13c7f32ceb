// Package membership finds out, through a consumer group of Kafka, which instance should own which lane.
//
// The group is the lanes' group: each instance is a member, and its assignment of partitions of the events topic says
// which lanes are its own. No record is read through it and no offset committed. A second group, the owners' group, has
// no members: its offsets carry, as metadata, the URL of the instance that last took each lane.
//
//	        joins                  assigned                 HandOver
//	New ─────────────► member ◄──────────────► owns lanes ─────────────► left ──┐
//	 │                   │         revoked         │                            │ Run's context ends
//	 │                   │ refused for good        │ refused for good           ▼
//	 └─ Owner waits      └─────────────────────────┴────────────────────────► ended
//
// # What it promises
//
// Callbacks come one after the other, with lane ids only. Owner answers from what the group last said, and asks the
// group again after a report that an answer was wrong (OwnerWrong): once for all callers, every 25 ms at most.
// An owner is believed until it is reported wrong, because an instance that the group names may still be reading the
// lane while the last owner serves it.
//
// Members say in the user data of their membership under which URL others reach them, behind the data of the balancer,
// which does not look there. So instances with and without a URL may be in one group.
//
// # What it does not do
//
// Safety does not depend on it. Two instances may both believe that they own a lane; only the fence of the
// transactional ids decides who can write. It opens no lane, uses no store and decides nothing. Reassignment is the
// cooperative-sticky balancer's: a lane stays where it is while the members stay.
//
// # How it fails
//
// Run returns an error when the group refuses this instance for good: its instance id is used by another one, or it may
// not read the group. Everything else heals by retrying inside the client; meanwhile Owner returns the owner known
// before, or waits inside its context if there is none. AnnounceTakeover is best effort: without it an idle old owner
// learns only on its next write that it was fenced.
package membership
