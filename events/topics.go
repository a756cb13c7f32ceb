package events

// The topics of the ledger. A topic whose key is the shipment id has one partition per lane.
const (
	// TopicEvents is the ledger: every transition, kept forever. Its partitions are the lanes.
	TopicEvents = "orders.events.v1"
	// TopicDecisions holds the decision about every input, kept forever, one partition per lane.
	TopicDecisions = "orders.decisions.v1"
	// TopicInbox holds notifications that were answered with 200 and are yet to be decided, one partition per lane.
	TopicInbox = "orders.inbox.v1"
	// TopicUnresolved holds notifications that name only a return, by return id, for 30 days.
	TopicUnresolved = "orders.unresolved.v1"
	// TopicAliases maps the ids of returns and services to their shipments; compacted, partitioned like TopicUnresolved.
	TopicAliases = "orders.aliases.v1"
	// TopicSuborders holds SUBORDER messages, one partition per lane, for 90 days.
	TopicSuborders = "suborders.v1"
	// TopicDeliveries holds the outcome of every delivery attempt, one partition per lane, for 90 days.
	TopicDeliveries = "suborders.deliveries.v1"
	// TopicSuborderQueues is for the emitter: that an endpoint has started; compacted, one partition per lane. It is
	// reserved for the queues of undelivered messages.
	TopicSuborderQueues = "suborders.queues.v1"
	// TopicDeadLetters holds records that could not be decoded, as bytes, for 90 days.
	TopicDeadLetters = "orders.deadletters.v1"
)

// Lane returns the lane, which is the partition, of a shipment: Kafka's murmur2 hash of the id modulo the number of
// lanes, as the Java client's default partitioner does, so that any consumer can compute it. Lanes must be positive.
func Lane(shipmentID string, lanes int) int32 {
	return KeyPartition(shipmentID, lanes)
}

// KeyPartition is Lane for topics that are keyed by another id, such as a return.
func KeyPartition(key string, partitions int) int32 {
	return int32(murmur2(key) & 0x7fffffff % uint32(partitions))
}

// murmur2 is the 32-bit hash of Kafka's Java client (seed 0x9747b28c).
func murmur2(key string) uint32 {
	const (
		m = 0x5bd1e995
		r = 24
	)
	n := len(key)
	h := uint32(0x9747b28c) ^ uint32(n)
	for i := 0; i+4 <= n; i += 4 {
		k := uint32(key[i]) | uint32(key[i+1])<<8 | uint32(key[i+2])<<16 | uint32(key[i+3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	tail := n &^ 3
	switch n & 3 {
	case 3:
		h ^= uint32(key[tail+2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[tail+1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[tail])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
