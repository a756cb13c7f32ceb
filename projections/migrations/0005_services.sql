-- One row per service item and version of its shipment.
-- Not partitioned, and merged early, for the reasons given in 0003_shipments.sql.
CREATE TABLE IF NOT EXISTS services_state
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    service_id String COMMENT 'The service item' CODEC(ZSTD(1)),
    order_item_id String COMMENT 'The item it serves' CODEC(ZSTD(1)),
    return_id String COMMENT 'The return that a tech visit belongs to; empty for a forward service' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'forward (after delivery) or tech_visit (before a return is approved)',
    status LowCardinality(String) COMMENT 'Status: ACTIVATED, REQUESTED, IN_PROGRESS, COMPLETED or CANCELLED',
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First due time' CODEC(Delta, ZSTD(1)),
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Current due time' CODEC(Delta, ZSTD(1)),
    failed_attempts UInt32 COMMENT 'Failed attempts',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it could begin, which is when its item was delivered' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done; NULL while it is not, or if nobody reported it' CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was cancelled' CODEC(Delta, ZSTD(1)),
    version UInt64 COMMENT 'Version of the shipment that this row shows',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded, or decided if the lane is over a day ahead of the clock' CODEC(Delta, ZSTD(1)),
    INDEX by_service service_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shipment_id, service_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of service items, including superseded ones; query the view services';

CREATE OR REPLACE VIEW services
(
    {{columns services_state}}
)
AS SELECT {{names services_state}}
FROM services_state FINAL
COMMENT 'Every service item as it is now, one row each';
