-- One row a shipment and version; the highest version wins.
--
-- Not partitioned: rows replace one another only within a partition, so its key would have to be fixed for life, and a
-- batch of shipments of many months would become as many parts.
CREATE TABLE IF NOT EXISTS shipments_state
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    order_id String COMMENT 'The order it is part of' CODEC(ZSTD(1)),
    seller_id String COMMENT 'Its seller' CODEC(ZSTD(1)),
    location_id LowCardinality(String) COMMENT 'The location it leaves from',
    fulfilment LowCardinality(String) COMMENT 'Who does the logistics: standard (the marketplace) or self_ship (the seller)',
    status LowCardinality(String) COMMENT 'Its status: that of its lowest-ranked item that is not cancelled',
    on_hold Bool COMMENT 'Any unit is held',
    created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was created' CODEC(Delta, ZSTD(1)),
    packed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was packed; NULL where not known' CODEC(Delta, ZSTD(1)),
    ready_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was ready to dispatch; NULL where not known' CODEC(Delta, ZSTD(1)),
    shipped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was shipped; NULL where not known' CODEC(Delta, ZSTD(1)),
    delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was delivered; NULL where not known' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was completed; NULL where not known' CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When its last live unit was cancelled; NULL while any is live' CODEC(Delta, ZSTD(1)),
    dispatch_after Nullable(DateTime64(3, 'UTC')) COMMENT 'Labels and dispatch are not allowed before' CODEC(Delta, ZSTD(1)),
    dispatch_by Nullable(DateTime64(3, 'UTC')) COMMENT 'When it must be dispatched' CODEC(Delta, ZSTD(1)),
    deliver_by Nullable(DateTime64(3, 'UTC')) COMMENT 'When it must be delivered, as the marketplace promised' CODEC(Delta, ZSTD(1)),
    units_ordered UInt32 COMMENT 'Units ordered, over all items',
    units_cancelled UInt32 COMMENT 'Units cancelled, over all items and whoever cancelled',
    irregular Bool COMMENT 'Facts contradicted each other at least once',
    version UInt64 COMMENT 'Number of the event that made this state',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that event was recorded' CODEC(Delta, ZSTD(1)),
    lane UInt16 COMMENT 'Partition of orders.events.v1 that holds its events',
    state String COMMENT 'The whole state in Protobuf (orderledger.v1.Shipment)' CODEC(ZSTD(1)),
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_order order_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of shipments, also superseded ones; read the view shipments';

CREATE OR REPLACE VIEW shipments
(
    shipment_id String COMMENT 'The shipment',
    order_id String COMMENT 'The order it is part of',
    seller_id String COMMENT 'Its seller',
    location_id LowCardinality(String) COMMENT 'The location it leaves from',
    fulfilment LowCardinality(String) COMMENT 'Who does the logistics: standard (the marketplace) or self_ship (the seller)',
    status LowCardinality(String) COMMENT 'Its status: that of its lowest-ranked item that is not cancelled',
    on_hold Bool COMMENT 'Any unit is held',
    created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was created',
    packed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was packed; NULL where not known',
    ready_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was ready to dispatch; NULL where not known',
    shipped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was shipped; NULL where not known',
    delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was delivered; NULL where not known',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was completed; NULL where not known',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When its last live unit was cancelled; NULL while any is live',
    dispatch_after Nullable(DateTime64(3, 'UTC')) COMMENT 'Labels and dispatch are not allowed before',
    dispatch_by Nullable(DateTime64(3, 'UTC')) COMMENT 'When it must be dispatched',
    deliver_by Nullable(DateTime64(3, 'UTC')) COMMENT 'When it must be delivered, as the marketplace promised',
    units_ordered UInt32 COMMENT 'Units ordered, over all items',
    units_cancelled UInt32 COMMENT 'Units cancelled, over all items and whoever cancelled',
    irregular Bool COMMENT 'Facts contradicted each other at least once',
    version UInt64 COMMENT 'Number of the event that made this state',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that event was recorded',
    lane UInt16 COMMENT 'Partition of orders.events.v1 that holds its events'
)
AS SELECT shipment_id, order_id, seller_id, location_id, fulfilment, status, on_hold, created_at, packed_at, ready_at,
    shipped_at, delivered_at, completed_at, cancelled_at, dispatch_after, dispatch_by, deliver_by, units_ordered,
    units_cancelled, irregular, version, updated_at, lane
FROM shipments_state FINAL
COMMENT 'Every shipment as it is now, one row each';
