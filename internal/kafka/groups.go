package kafka

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// RefusedByGroup tells errors after which trying to be a member of a group again can't help. All others heal: brokers
// come back, and a membership that has ended is followed by a new one.
func RefusedByGroup(err error) bool {
	var code *kerr.Error
	return errors.As(err, &code) && slices.Contains([]*kerr.Error{
		kerr.FencedInstanceID, kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.InvalidSessionTimeout, kerr.InvalidGroupID,
	}, code)
}

// The consumer groups of a cluster. Their committed offsets are public: they tell how far each part has come.

// GroupLanes decides which instance should own which lane; it commits nothing.
func GroupLanes(cluster string) string { return cluster + ".lanes" }

// GroupInbox holds, for information only, the inbox position below which each lane has decided everything. The truth is
// in the decisions.
func GroupInbox(cluster string) string { return cluster + ".inbox" }

// GroupProjector holds the projector's intents; its offset is the position below which all tables are complete.
func GroupProjector(cluster string) string { return cluster + ".projector" }

// GroupTranslate holds how far events have become SUBORDER messages.
func GroupTranslate(cluster string) string { return cluster + ".translate" }

// GroupEndpoint holds how far an endpoint has got its messages.
func GroupEndpoint(cluster, endpoint string) string { return cluster + ".emitter." + endpoint }

// GroupPacking holds how far requests for labels have been worked on.
func GroupPacking(cluster string) string { return cluster + ".packing" }

// GroupAliases holds how far the ledger has been turned into aliases.
func GroupAliases(cluster string) string { return cluster + ".aliases" }

// GroupResolver holds how far unresolved notifications have been handed on.
func GroupResolver(cluster string) string { return cluster + ".resolver" }

// GroupOwners holds, for information only, which instance last took each lane: its URL as the metadata of the offset.
func GroupOwners(cluster string) string { return cluster + ".owners" }
