// Package membership finds out, through a consumer group of Kafka, which instance should own which lane.
//
// The group is the lanes' group: each instance is a member, and its assignment of partitions of the events topic says
// which lanes are its own. No record is read through it and no offset committed. A second group, the owners' group, has
// no members: its offsets carry, as metadata, the URL of the instance that last took each lane.
//
//	        joins                  assigned             HandOver            serves nothing, nobody
//	New ─────────────► member ◄──────────────► owns lanes ───────► draining ─────────────────────► left ──┐
//	 │                   │         revoked         │                         stays, or ctx ends           │ Run's
//	 │                   │ refused for good        │ refused for good                                     ▼ context ends
//	 └─ Owner waits      └─────────────────────────┴──────────────────────────────────────────────────► ended
//
// # The plan
//
// In each join a member reports, for each lane, whether it serves it, how many records it has yet to read, or that it
// can't open it; and whether it is about to leave, whether its clock is good, its URL, and a nonce. It is warm for a
// lane if it can read the rest in 2 s. The leader of the group plans (planner) over the lanes of the layout:
//
//   - A lane that is open stays, or moves to a warm member where the numbers of lanes differ by two or more. Only open
//     lanes are sticky: after a restart of all, a member with an empty disk that joined first must not keep its lanes.
//   - Otherwise a lane goes to a warm member, if possible one with a good clock, then to the one with fewest lanes. If
//     nobody is warm, a member that leaves keeps the lane it serves. If nobody serves it, the member that reads it
//     keeps it, or it goes to the one with least left.
//   - Members that leave get nothing, unless nobody else is left. A member that can't open a lane is passed over.
//
// The assignment's user data says which lanes to follow (as standby, and first those that the member should own as soon
// as it is warm), and which lanes nobody serves. The group plans only when somebody joins, so a member asks again
// (asking) when its report has changed in a way that matters, every 5 s at most.
//
// The balancer is called orderledger-lanes-1. Members also know cooperative-sticky, the balancer of older versions,
// which the group uses as long as one of those is in it.
//
// # What it promises
//
// Callbacks come one after the other, with lane ids only. Owner answers from what the group last said, and asks the
// group again after a report that an answer was wrong (OwnerWrong): once for all callers, every 25 ms at most.
// An owner is believed until it is reported wrong, because an instance that the group names may still be reading the
// lane while the last owner serves it.
//
// A lane that is assigned and not open yet is asked of the member that last took it: Owner names that one while it is a
// member and was not reported wrong.
//
// Instances with and without a URL may be in one group.
//
// # What it does not do
//
// Safety does not depend on it. Two instances may both believe that they own a lane; only the fence of the
// transactional ids decides who can write. It opens no lane, uses no store and decides nothing.
//
// # How it fails
//
// Run returns an error when the group refuses this instance for good: its instance id is used by another one, or it may
// not read the group. Everything else heals by retrying inside the client; meanwhile Owner returns the owner known
// before, or waits inside its context if there is none. AnnounceTakeover is best effort: without it an idle old owner
// learns only on its next write that it was fenced.
package membership
