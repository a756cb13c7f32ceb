-- One row per shipment and version; the highest version wins.
--
-- Not partitioned. Rows replace one another only within a partition, so the key would have to stay the same for the life
-- of a shipment, such as the month of its creation; and a batch touches shipments of many months, so one insert would
-- become as many parts.
--
-- min_age_to_force_merge_seconds merges the superseded rows of quiet parts away, which keeps FINAL cheap.
CREATE TABLE IF NOT EXISTS shipments_state
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    order_id String COMMENT 'The order that it is part of' CODEC(ZSTD(1)),
    seller_id String COMMENT 'Its seller' CODEC(ZSTD(1)),
    location_id LowCardinality(String) COMMENT 'The location that it leaves from',
    fulfilment LowCardinality(String) COMMENT 'Who ships it: standard (the marketplace) or self_ship (the seller)',
    status LowCardinality(String) COMMENT 'Status of its lowest-ranked item that is not cancelled',
    on_hold Bool COMMENT 'At least one unit is on hold',
    created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was created' CODEC(Delta, ZSTD(1)),
    packed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was packed; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    packed_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been packed, if nobody reported it: a later step was reported then' CODEC(Delta, ZSTD(1)),
    ready_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was ready to dispatch; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    ready_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been ready to dispatch, if nobody reported it: a later step was reported then' CODEC(Delta, ZSTD(1)),
    shipped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was shipped; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    shipped_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been shipped, if nobody reported it: a later step was reported then' CODEC(Delta, ZSTD(1)),
    delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was delivered; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    delivered_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been delivered, if nobody reported it: a later step was reported then' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was completed; NULL if nobody reported it' CODEC(Delta, ZSTD(1)),
    completed_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been completed, if nobody reported it: a later step was reported then' CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When its last live unit was cancelled; NULL while a unit is live, or if nobody reported it' CODEC(Delta, ZSTD(1)),
    cancelled_at_latest Nullable(DateTime64(3, 'UTC')) COMMENT 'The latest time at which it can have been cancelled, if nobody reported it' CODEC(Delta, ZSTD(1)),
    dispatch_after Nullable(DateTime64(3, 'UTC')) COMMENT 'Earliest time for labels and dispatch' CODEC(Delta, ZSTD(1)),
    dispatch_by Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest time for dispatch' CODEC(Delta, ZSTD(1)),
    deliver_by Nullable(DateTime64(3, 'UTC')) COMMENT 'Delivery date that the marketplace promised' CODEC(Delta, ZSTD(1)),
    units_ordered UInt32 COMMENT 'Units ordered, over all items',
    units_cancelled UInt32 COMMENT 'Units cancelled, over all items, whoever cancelled them',
    irregular Bool COMMENT 'Facts contradicted each other at least once',
    version UInt64 COMMENT 'Number of the shipment''s last event',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that event was recorded, or decided if the lane is over a day ahead of the clock' CODEC(Delta, ZSTD(1)),
    lane UInt16 COMMENT 'Partition of orders.events.v1 that holds its events',
    state String COMMENT 'The whole state in Protobuf (orderledger.v1.Shipment)' CODEC(ZSTD(1)),
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_order order_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of shipments, including superseded ones; query the view shipments';

CREATE OR REPLACE VIEW shipments
(
    {{columns shipments_state except state}}
)
AS SELECT {{names shipments_state except state}}
FROM shipments_state FINAL
COMMENT 'Every shipment as it is now, one row each';
