package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// RefusedByGroup reports whether joining a consumer group again can't help after this error. All other errors are
// temporary: brokers come back, and the client joins again after its membership ended.
func RefusedByGroup(err error) bool {
	var code *kerr.Error
	return errors.As(err, &code) && slices.Contains([]*kerr.Error{
		kerr.FencedInstanceID, kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.InvalidSessionTimeout, kerr.InvalidGroupID,
	}, code)
}

// The consumer groups of a cluster. Their committed offsets are public: they show the progress of each part.

// GroupLanes assigns lanes to instances; it commits nothing.
func GroupLanes(cluster string) string { return cluster + ".lanes" }

// GroupInbox holds, for information only, the inbox offset below which each lane has decided every record. The
// decisions are the truth.
func GroupInbox(cluster string) string { return cluster + ".inbox" }

// GroupProjector holds the projector's intents; its offset is the one below which all tables are complete.
func GroupProjector(cluster string) string { return cluster + ".projector" }

// TableEndVersion begins the metadata of the projector's offsets. Another version says nothing.
const TableEndVersion = "v2"

// TableEnd reads the metadata of an offset of the projector: the highest offset of the partition that had a row in its
// history table when the offset was committed. It is the last part, and -1 or missing if there was none.
func TableEnd(metadata string) int64 {
	parts := strings.Split(metadata, ";")
	if len(parts) < 2 || parts[0] != TableEndVersion {
		return -1
	}
	end, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	if err != nil {
		return -1
	}
	return end
}

// TableEnds returns TableEnd for each lane of a topic that the projector has committed.
func TableEnds(ctx context.Context, adm *kadm.Client, cluster, topic string) (map[int32]int64, error) {
	offsets, err := adm.FetchOffsetsForTopics(ctx, GroupProjector(cluster), topic)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil // No projector has ever committed; some brokers say so.
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", GroupProjector(cluster), err)
	}
	ends := map[int32]int64{}
	for lane, o := range offsets[topic] {
		if o.Err != nil {
			return nil, fmt.Errorf("offset of %s in %s/%d: %w", GroupProjector(cluster), topic, lane, o.Err)
		}
		if end := TableEnd(o.Metadata); end >= 0 {
			ends[lane] = end
		}
	}
	return ends, nil
}

// GroupTranslate holds the offset up to which events were translated into SUBORDER messages.
func GroupTranslate(cluster string) string { return cluster + ".translate" }

// GroupEndpoint holds the offset up to which an endpoint got its messages.
func GroupEndpoint(cluster, endpoint string) string { return cluster + ".emitter." + endpoint }

// GroupPacking holds the offset up to which requests for labels were handled.
func GroupPacking(cluster string) string { return cluster + ".packing" }

// GroupAliases holds the offset up to which aliases were derived from the ledger.
func GroupAliases(cluster string) string { return cluster + ".aliases" }

// GroupResolver holds the offset up to which unresolved notifications were resolved or stored.
func GroupResolver(cluster string) string { return cluster + ".resolver" }

// GroupOwners holds, for information only, which instance last took over each lane: its URL is the metadata of the
// offset.
func GroupOwners(cluster string) string { return cluster + ".owners" }
