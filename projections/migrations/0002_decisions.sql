-- What became of every input. Partitioned and guarded as events; read through the view, which leaves out what a record
-- of orders.decisions.v1 has voided.
CREATE TABLE IF NOT EXISTS decisions_history
(
    lane            UInt16 COMMENT 'Partition of orders.decisions.v1 that holds the decision',
    offset          UInt64 COMMENT 'Kafka offset of the decision in its lane; not dense' CODEC(Delta, ZSTD(1)),
    decisionseq     UInt64 COMMENT 'Dense number of the decision in its lane: 1, 2, 3 and so on' CODEC(Delta, ZSTD(1)),
    decision_id     String COMMENT 'Unique id of the decision' CODEC(ZSTD(1)),
    outcome         LowCardinality(String) COMMENT 'accepted, rejected, applied, duplicate, stale, waiting or quarantined',
    reason          LowCardinality(String) COMMENT 'Permanent code of the reason; empty when there is nothing to say',
    message         String COMMENT 'A sentence for people' CODEC(ZSTD(1)),
    input_key       String COMMENT 'Idempotency key of the command or natural key of the notification' CODEC(ZSTD(1)),
    input_type      LowCardinality(String) COMMENT 'What came: command.cancel, notification.shipment_created and so on',
    input_hash      FixedString(32) COMMENT 'SHA-256 of the input; hex(input_hash) shows it' CODEC(NONE),
    shipment_id     String COMMENT 'The shipment that the input names' CODEC(ZSTD(1)),
    seller_id       String COMMENT 'The seller of the shipment' CODEC(ZSTD(1)),
    inbox_offset    Nullable(Int64) COMMENT 'Position of the notification in its inbox partition; NULL for commands' CODEC(Delta, ZSTD(1)),
    first_version   UInt64 COMMENT 'First version of the shipment that it produced; 0 for none' CODEC(ZSTD(1)),
    last_version    UInt64 COMMENT 'Last version of the shipment that it produced; 0 for none' CODEC(ZSTD(1)),
    correlation_id  String COMMENT 'Names the whole story the input is part of' CODEC(ZSTD(1)),
    causation_id    String COMMENT 'What directly caused the input' CODEC(ZSTD(1)),
    auth_type       LowCardinality(String) COMMENT 'Who sent the input: seller, marketplace or system',
    auth_id         String COMMENT 'Id of who sent the input' CODEC(ZSTD(1)),
    occurred_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When it happened, as told; NULL where nobody told' CODEC(Delta, ZSTD(1)),
    recorded_at     DateTime64(3, 'UTC') COMMENT 'When the ledger recorded the decision; never goes backward in a lane' CODEC(Delta, ZSTD(1)),
    waited          Bool COMMENT 'The input had been recorded as waiting before',
    unknown_items   Array(String) COMMENT 'Item ids that the input names and the shipment does not have' CODEC(ZSTD(1)),
    events_laneseq  UInt64 COMMENT 'laneseq of the lane''s events after the batch it was decided in' CODEC(Delta, ZSTD(1)),
    events_head     FixedString(32) COMMENT 'Chain head of the lane''s events after that batch; hex(events_head) shows it' CODEC(ZSTD(1)),
    chain_hash      FixedString(32) COMMENT 'Link of the lane''s chain of decisions, SHA-256; hex(chain_hash) shows it' CODEC(NONE),
    body            String COMMENT 'The input itself, of a waiting or quarantined one, up to a limit' CODEC(ZSTD(1)),
    body_bytes      UInt32 COMMENT 'Size of the input where it is too large to be held' CODEC(ZSTD(1)),
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
COMMENT 'Every decision as recorded, also those voided since; read the view decisions';

CREATE TABLE IF NOT EXISTS decision_voids
(
    lane         UInt16 COMMENT 'Partition of orders.decisions.v1',
    first_offset UInt64 COMMENT 'First offset of the voided decisions',
    last_offset  UInt64 COMMENT 'Last offset of the voided decisions',
    reason       String COMMENT 'Why they are void',
    offset       UInt64 COMMENT 'Kafka offset of the record that voids them',
    recorded_at  DateTime64(3, 'UTC') COMMENT 'When they were voided'
)
ENGINE = ReplacingMergeTree(offset)
ORDER BY (lane, first_offset, last_offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800
COMMENT 'Ranges of decisions whose batch lost its events when an embedded broker died; usually empty';

CREATE OR REPLACE VIEW decisions
(
    lane            UInt16 COMMENT 'Partition of orders.decisions.v1 that holds the decision',
    offset          UInt64 COMMENT 'Kafka offset of the decision in its lane; not dense',
    decisionseq     UInt64 COMMENT 'Dense number of the decision in its lane: 1, 2, 3 and so on',
    decision_id     String COMMENT 'Unique id of the decision',
    outcome         LowCardinality(String) COMMENT 'accepted, rejected, applied, duplicate, stale, waiting or quarantined',
    reason          LowCardinality(String) COMMENT 'Permanent code of the reason; empty when there is nothing to say',
    message         String COMMENT 'A sentence for people',
    input_key       String COMMENT 'Idempotency key of the command or natural key of the notification',
    input_type      LowCardinality(String) COMMENT 'What came: command.cancel, notification.shipment_created and so on',
    input_hash      FixedString(32) COMMENT 'SHA-256 of the input; hex(input_hash) shows it',
    shipment_id     String COMMENT 'The shipment that the input names',
    seller_id       String COMMENT 'The seller of the shipment',
    inbox_offset    Nullable(Int64) COMMENT 'Position of the notification in its inbox partition; NULL for commands',
    first_version   UInt64 COMMENT 'First version of the shipment that it produced; 0 for none',
    last_version    UInt64 COMMENT 'Last version of the shipment that it produced; 0 for none',
    correlation_id  String COMMENT 'Names the whole story the input is part of',
    causation_id    String COMMENT 'What directly caused the input',
    auth_type       LowCardinality(String) COMMENT 'Who sent the input: seller, marketplace or system',
    auth_id         String COMMENT 'Id of who sent the input',
    occurred_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When it happened, as told; NULL where nobody told',
    recorded_at     DateTime64(3, 'UTC') COMMENT 'When the ledger recorded the decision; never goes backward in a lane',
    waited          Bool COMMENT 'The input had been recorded as waiting before',
    unknown_items   Array(String) COMMENT 'Item ids that the input names and the shipment does not have',
    events_laneseq  UInt64 COMMENT 'laneseq of the lane''s events after the batch it was decided in',
    events_head     FixedString(32) COMMENT 'Chain head of the lane''s events after that batch; hex(events_head) shows it',
    chain_hash      FixedString(32) COMMENT 'Link of the lane''s chain of decisions, SHA-256; hex(chain_hash) shows it',
    body            String COMMENT 'The input itself, of a waiting or quarantined one, up to a limit',
    body_bytes      UInt32 COMMENT 'Size of the input where it is too large to be held'
)
AS WITH (SELECT groupArray((lane, first_offset, last_offset)) FROM decision_voids) AS voids
SELECT lane, offset, decisionseq, decision_id, outcome, reason, message, input_key, input_type, input_hash, shipment_id,
    seller_id, inbox_offset, first_version, last_version, correlation_id, causation_id, auth_type, auth_id, occurred_at,
    recorded_at, waited, unknown_items, events_laneseq, events_head, chain_hash, body, body_bytes
FROM decisions_history
WHERE NOT arrayExists(v -> v.1 = lane AND offset BETWEEN v.2 AND v.3, voids)
COMMENT 'What became of every input, one row each';
