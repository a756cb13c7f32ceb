-- What became of every input. Partitions, projection and settings are those of 0001_events.sql, for the same reasons.
-- The view leaves out the decisions that a later record of orders.decisions.v1 has voided.
CREATE TABLE IF NOT EXISTS decisions_history
(
    lane            UInt16 COMMENT 'Partition of orders.decisions.v1 that holds the decision',
    offset          UInt64 COMMENT 'Kafka offset of the decision in its lane; offsets have gaps' CODEC(Delta, ZSTD(1)),
    decisionseq     UInt64 COMMENT 'Dense number of the decision in its lane: 1, 2, 3 and so on' CODEC(Delta, ZSTD(1)),
    decision_id     String COMMENT 'Unique id of the decision' CODEC(ZSTD(1)),
    outcome         LowCardinality(String) COMMENT 'accepted, rejected, applied, duplicate, stale, waiting or quarantined',
    reason          LowCardinality(String) COMMENT 'Permanent code of the reason; empty if there is none',
    message         String COMMENT 'The reason as a sentence for human readers' CODEC(ZSTD(1)),
    input_key       String COMMENT 'Idempotency key of the command or natural key of the notification' CODEC(ZSTD(1)),
    input_type      LowCardinality(String) COMMENT 'Type of the input: command.cancel, notification.shipment_created and so on',
    input_hash      FixedString(32) COMMENT 'SHA-256 of the input; print it with hex(input_hash)' CODEC(NONE),
    shipment_id     String COMMENT 'The shipment that the input is about' CODEC(ZSTD(1)),
    seller_id       String COMMENT 'The seller of the shipment' CODEC(ZSTD(1)),
    inbox_offset    Nullable(Int64) COMMENT 'Position of the notification in its inbox partition; NULL for commands' CODEC(Delta, ZSTD(1)),
    first_version   UInt64 COMMENT 'First version of the shipment that it produced; 0 for none' CODEC(ZSTD(1)),
    last_version    UInt64 COMMENT 'Last version of the shipment that it produced; 0 for none' CODEC(ZSTD(1)),
    correlation_id  String COMMENT 'Id shared by all inputs and events of one story' CODEC(ZSTD(1)),
    causation_id    String COMMENT 'The event that directly caused the input; empty for notifications' CODEC(ZSTD(1)),
    auth_type       LowCardinality(String) COMMENT 'Who sent the input: seller, marketplace or system',
    auth_id         String COMMENT 'Id of who sent the input' CODEC(ZSTD(1)),
    occurred_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When it happened, as reported; NULL if not reported' CODEC(Delta, ZSTD(1)),
    decided_at      DateTime64(3, 'UTC') COMMENT 'When the ledger decided, by its clock; the rules used this time' CODEC(Delta, ZSTD(1)),
    recorded_at     DateTime64(3, 'UTC') COMMENT 'When the ledger recorded the decision; never goes backward in a lane, so a clock that ran ahead drives it ahead of decided_at' CODEC(Delta, ZSTD(1)),
    waited          Bool COMMENT 'The input had been waiting; this is its final decision',
    unknown_items   Array(String) COMMENT 'Item ids in the input that the shipment does not have' CODEC(ZSTD(1)),
    left_out        Array(String) COMMENT 'Parts of the notification that were left out, as path: why; at most 100' CODEC(ZSTD(1)),
    events_laneseq  UInt64 COMMENT 'laneseq of the lane''s last event after the batch that contains this decision' CODEC(Delta, ZSTD(1)),
    events_head     FixedString(32) COMMENT 'Chain head of the lane''s events after that batch; print it with hex(events_head)' CODEC(ZSTD(1)),
    chain_hash      FixedString(32) COMMENT 'Link of the hash chain of the lane''s decisions, SHA-256; print it with hex(chain_hash)' CODEC(NONE),
    body            String COMMENT 'The input itself if it is waiting or quarantined, or names items that the shipment does not have, up to a size limit' CODEC(ZSTD(1)),
    body_bytes      UInt32 COMMENT 'Size of the input in bytes if it is too large to be kept' CODEC(ZSTD(1)),
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_correlation correlation_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_input input_key TYPE bloom_filter GRANULARITY 1,
    PROJECTION watermark (SELECT lane, max(offset) GROUP BY lane)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (seller_id, shipment_id, lane, decisionseq)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, vertical_merge_algorithm_min_rows_to_activate = 1
COMMENT 'Every decision as recorded, including those voided since; query the view decisions';

CREATE TABLE IF NOT EXISTS decision_voids
(
    lane         UInt16 COMMENT 'Partition of orders.decisions.v1',
    first_offset UInt64 COMMENT 'First offset of the voided decisions',
    last_offset  UInt64 COMMENT 'Last offset of the voided decisions',
    reason       String COMMENT 'Why they were voided',
    offset       UInt64 COMMENT 'Kafka offset of the record that voids them',
    recorded_at  DateTime64(3, 'UTC') COMMENT 'When they were voided'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (lane, first_offset, last_offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800
COMMENT 'Ranges of decisions whose batch lost its events in a crash of an embedded broker; usually empty';

CREATE OR REPLACE VIEW decisions
(
    {{columns decisions_history}}
)
AS WITH (SELECT groupArray((lane, first_offset, last_offset)) FROM decision_voids) AS voids
SELECT {{names decisions_history}}
FROM decisions_history
WHERE NOT arrayExists(v -> v.1 = lane AND offset BETWEEN v.2 AND v.3, voids)
COMMENT 'What became of every input, one row each';
