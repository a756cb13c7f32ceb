-- One row per return line and version of its shipment.
-- Not partitioned, and merged early, for the reasons given in 0003_shipments.sql.
CREATE TABLE IF NOT EXISTS returns_state
(
    return_id String COMMENT 'The return; it may hold several lines' CODEC(ZSTD(1)),
    order_item_id String COMMENT 'The item that comes back' CODEC(ZSTD(1)),
    shipment_id String COMMENT 'The shipment of the item' CODEC(ZSTD(1)),
    seller_id String COMMENT 'The seller' CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'customer_return (RVP) or courier_return (RTO)',
    status LowCardinality(String) COMMENT 'Status: REQUESTED, CREATED, APPROVED, PICKED_UP, COMPLETED, REJECTED or CANCELLED',
    units UInt32 COMMENT 'Units in the return',
    reason String COMMENT 'Reason, as reported' CODEC(ZSTD(1)),
    sub_reason String COMMENT 'Sub-reason, as reported' CODEC(ZSTD(1)),
    created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the return was created; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    created_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that created_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    approved_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was approved; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    approved_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that approved_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    rejected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was rejected; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    rejected_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that rejected_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    picked_up_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the goods were picked up; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    picked_up_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that picked_up_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the goods were received back; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    completed_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that completed_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was cancelled; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    cancelled_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time that cancelled_at can have had, if nobody reported it' CODEC(Delta, ZSTD(1)),
    expected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the goods are expected' CODEC(Delta, ZSTD(1)),
    tracking_id String COMMENT 'Tracking number' CODEC(ZSTD(1)),
    courier String COMMENT 'Name of the courier' CODEC(ZSTD(1)),
    irregular Bool COMMENT 'It was reported with more units than were ordered; units keeps the reported number',
    version UInt64 COMMENT 'Version of the shipment that this row shows',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded, or decided if the lane is over a day ahead of the clock' CODEC(Delta, ZSTD(1)),
    INDEX by_return return_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_item order_item_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, return_id, order_item_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of return lines, including superseded ones; query the view returns';

CREATE OR REPLACE VIEW returns
(
    {{columns returns_state}}
)
AS SELECT {{names returns_state}}
FROM returns_state FINAL
COMMENT 'Every line of a return as it is now, one row each';
