-- One row an item and version of its shipment.
--
-- Not partitioned: rows replace one another only within a partition, so its key would have to be fixed for life, and a
-- batch of shipments of many months would become as many parts.
CREATE TABLE IF NOT EXISTS order_items_state
(
    shipment_id String COMMENT 'The shipment that holds the item' CODEC(ZSTD(1)),
    order_item_id String COMMENT 'The item' CODEC(ZSTD(1)),
    order_id String COMMENT 'The order' CODEC(ZSTD(1)),
    seller_id String COMMENT 'The seller' CODEC(ZSTD(1)),
    sku String COMMENT 'Stock keeping unit, as told' CODEC(ZSTD(1)),
    fsn String COMMENT 'Product number of the marketplace, as told' CODEC(ZSTD(1)),
    listing_id String COMMENT 'Listing, as told' CODEC(ZSTD(1)),
    title String COMMENT 'Title of the product, as told' CODEC(ZSTD(1)),
    status LowCardinality(String) COMMENT 'Status of the item, derived from its units and returns',
    order_date Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer ordered, as told' CODEC(Delta, ZSTD(1)),
    units_ordered UInt32 COMMENT 'Units ordered',
    units_held UInt32 COMMENT 'Units on hold',
    units_cancelled UInt32 COMMENT 'Units cancelled, whoever cancelled',
    units_shipped UInt32 COMMENT 'Units that left, also those cancelled since',
    units_delivered UInt32 COMMENT 'Units delivered',
    units_returned UInt32 COMMENT 'Units in completed returns',
    price_minor Nullable(Int64) COMMENT 'Selling price in minor units of the currency, as told; NULL where not told',
    currency LowCardinality(String) COMMENT 'Currency of the price',
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded' CODEC(Delta, ZSTD(1)),
    INDEX by_item order_item_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_order order_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id, order_item_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of order items, also superseded ones; read the view order_items';

CREATE OR REPLACE VIEW order_items
(
    shipment_id String COMMENT 'The shipment that holds the item',
    order_item_id String COMMENT 'The item',
    order_id String COMMENT 'The order',
    seller_id String COMMENT 'The seller',
    sku String COMMENT 'Stock keeping unit, as told',
    fsn String COMMENT 'Product number of the marketplace, as told',
    listing_id String COMMENT 'Listing, as told',
    title String COMMENT 'Title of the product, as told',
    status LowCardinality(String) COMMENT 'Status of the item, derived from its units and returns',
    order_date Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer ordered, as told',
    units_ordered UInt32 COMMENT 'Units ordered',
    units_held UInt32 COMMENT 'Units on hold',
    units_cancelled UInt32 COMMENT 'Units cancelled, whoever cancelled',
    units_shipped UInt32 COMMENT 'Units that left, also those cancelled since',
    units_delivered UInt32 COMMENT 'Units delivered',
    units_returned UInt32 COMMENT 'Units in completed returns',
    price_minor Nullable(Int64) COMMENT 'Selling price in minor units of the currency, as told; NULL where not told',
    currency LowCardinality(String) COMMENT 'Currency of the price',
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded'
)
AS SELECT shipment_id, order_item_id, order_id, seller_id, sku, fsn, listing_id, title, status, order_date,
    units_ordered, units_held, units_cancelled, units_shipped, units_delivered, units_returned, price_minor, currency,
    version, updated_at
FROM order_items_state FINAL
COMMENT 'Every order item as it is now, one row each';
