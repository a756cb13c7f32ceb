-- The history: one row for every event of the ledger, never changed.
--
-- Partitioned by the month of recording. That time never goes backward in a lane, so the projector can cut its batches
-- where the month changes; each insert then becomes one part, which is stored whole or not at all.
--
-- The PROJECTION keeps the highest offset of each lane beside every part, so a projector that takes over a lane reads it
-- within milliseconds instead of scanning the table.
--
-- The deduplication windows make the server remember the tokens of the last 10,000 inserts for a week: a repeated insert
-- is dropped. Without replication the window is 0 by default, which would double the rows.
--
-- vertical_merge_algorithm_min_rows_to_activate = 1 merges column by column. Merging all columns at once took half a
-- gigabyte of memory, because bodies have kilobytes.
CREATE TABLE IF NOT EXISTS events
(
    lane           UInt16 COMMENT 'Partition of orders.events.v1 that holds the event',
    offset         UInt64 COMMENT 'Kafka offset of the event in its lane; offsets have gaps' CODEC(Delta, ZSTD(1)),
    laneseq        UInt64 COMMENT 'Dense number of the event in its lane: 1, 2, 3 and so on' CODEC(Delta, ZSTD(1)),
    shipment_id    String COMMENT 'The shipment it happened to' CODEC(ZSTD(1)),
    version        UInt64 COMMENT 'Dense number of the event in its shipment: 1, 2, 3 and so on' CODEC(Delta, ZSTD(1)),
    event_id       String COMMENT 'Unique id of the event: shipment id and version' CODEC(ZSTD(1)),
    event_type     LowCardinality(String) COMMENT 'What happened: ShipmentCreated, ItemsCancelled and so on',
    occurred_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When it happened, as reported; NULL if not reported' CODEC(Delta, ZSTD(1)),
    decided_at     DateTime64(3, 'UTC') COMMENT 'When the ledger decided the input, by its clock; the rules used this time' CODEC(Delta, ZSTD(1)),
    recorded_at    DateTime64(3, 'UTC') COMMENT 'When the ledger recorded it; never goes backward in a lane, so a clock that ran ahead drives it ahead of decided_at' CODEC(Delta, ZSTD(1)),
    order_id       String COMMENT 'The order of the shipment' CODEC(ZSTD(1)),
    seller_id      String COMMENT 'The seller of the shipment' CODEC(ZSTD(1)),
    location_id    LowCardinality(String) COMMENT 'The location the shipment leaves from',
    from_status    LowCardinality(String) COMMENT 'Status of the shipment before; empty at creation',
    to_status      LowCardinality(String) COMMENT 'Status of the shipment after',
    irregular      Bool COMMENT 'The fact contradicts an earlier one',
    late           Bool COMMENT 'The fact arrived after the state had moved on; it only fills in times',
    auth_type      LowCardinality(String) COMMENT 'Who caused it: seller, marketplace or system',
    auth_id        String COMMENT 'Id of who caused it' CODEC(ZSTD(1)),
    correlation_id String COMMENT 'Id shared by all inputs and events of one story' CODEC(ZSTD(1)),
    causation_id   String COMMENT 'The event that directly caused this one; empty for notifications' CODEC(ZSTD(1)),
    input_key      String COMMENT 'Idempotency key or natural key of the input; only in the first event of a decision' CODEC(ZSTD(1)),
    chain_hash     FixedString(32) COMMENT 'Link of the lane''s hash chain, SHA-256; print it with hex(chain_hash)' CODEC(NONE),
    body           String COMMENT 'The event as JSON: transition, state after it, and its own fields' CODEC(ZSTD(1)),
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_order order_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_correlation correlation_id TYPE bloom_filter GRANULARITY 1,
    PROJECTION watermark (SELECT lane, max(offset) GROUP BY lane)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(recorded_at)
ORDER BY (seller_id, shipment_id, version)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, vertical_merge_algorithm_min_rows_to_activate = 1
COMMENT 'Every event of the ledger, once, in the order of seller, shipment and version';
