-- One row a service item and version of its shipment.
--
-- Not partitioned: rows replace one another only within a partition, so its key would have to be fixed for life, and a
-- batch of shipments of many months would become as many parts.
CREATE TABLE IF NOT EXISTS services_state
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    service_id String COMMENT 'The service item' CODEC(ZSTD(1)),
    order_item_id String COMMENT 'The item it serves' CODEC(ZSTD(1)),
    return_id String COMMENT 'The return whose tech visit it is; empty for a forward service' CODEC(ZSTD(1)),
    kind LowCardinality(String) COMMENT 'forward (after delivery) or tech_visit (before a return is approved)',
    status LowCardinality(String) COMMENT 'How far it is: ACTIVATED, REQUESTED, IN_PROGRESS, COMPLETED or CANCELLED',
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was due at first' CODEC(Delta, ZSTD(1)),
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is due' CODEC(Delta, ZSTD(1)),
    attempts UInt32 COMMENT 'How often it was tried',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it could begin: its item was delivered' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done' CODEC(Delta, ZSTD(1)),
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was cancelled' CODEC(Delta, ZSTD(1)),
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded' CODEC(Delta, ZSTD(1)),
    INDEX by_service service_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (shipment_id, service_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of service items, also superseded ones; read the view services';

CREATE OR REPLACE VIEW services
(
    shipment_id String COMMENT 'The shipment',
    service_id String COMMENT 'The service item',
    order_item_id String COMMENT 'The item it serves',
    return_id String COMMENT 'The return whose tech visit it is; empty for a forward service',
    kind LowCardinality(String) COMMENT 'forward (after delivery) or tech_visit (before a return is approved)',
    status LowCardinality(String) COMMENT 'How far it is: ACTIVATED, REQUESTED, IN_PROGRESS, COMPLETED or CANCELLED',
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was due at first',
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is due',
    attempts UInt32 COMMENT 'How often it was tried',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it could begin: its item was delivered',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was cancelled',
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded'
)
AS SELECT shipment_id, service_id, order_item_id, return_id, kind, status, first_due_at, due_at, attempts, started_at,
    completed_at, cancelled_at, version, updated_at
FROM services_state FINAL
COMMENT 'Every service item as it is now, one row each';
