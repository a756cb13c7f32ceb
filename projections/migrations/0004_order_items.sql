-- One row per item and version of its shipment.
-- Not partitioned, and merged early, for the reasons given in 0003_shipments.sql.
CREATE TABLE IF NOT EXISTS order_items_state
(
    shipment_id String COMMENT 'The shipment that holds the item' CODEC(ZSTD(1)),
    order_item_id String COMMENT 'The item' CODEC(ZSTD(1)),
    order_id String COMMENT 'The order' CODEC(ZSTD(1)),
    seller_id String COMMENT 'The seller' CODEC(ZSTD(1)),
    sku String COMMENT 'Stock keeping unit, as reported' CODEC(ZSTD(1)),
    fsn String COMMENT 'Product number of the marketplace, as reported' CODEC(ZSTD(1)),
    listing_id String COMMENT 'Listing, as reported' CODEC(ZSTD(1)),
    title String COMMENT 'Title of the product, as reported' CODEC(ZSTD(1)),
    status LowCardinality(String) COMMENT 'Status of the item, derived from its units and returns',
    order_date Nullable(DateTime64(3, 'UTC')) COMMENT 'When the customer ordered, as reported' CODEC(Delta, ZSTD(1)),
    units_ordered UInt32 COMMENT 'Units ordered',
    units_held UInt32 COMMENT 'Units on hold',
    units_cancelled UInt32 COMMENT 'Units cancelled, whoever cancelled them',
    units_shipped UInt32 COMMENT 'Units shipped, including those cancelled since',
    units_delivered UInt32 COMMENT 'Units delivered, without those that the courier brings back',
    units_returned UInt32 COMMENT 'Units in completed returns, at most those shipped',
    price_minor Nullable(Int64) COMMENT 'Selling price in minor units of the currency, as reported; NULL if not reported',
    currency LowCardinality(String) COMMENT 'Currency of the price',
    version UInt64 COMMENT 'Version of the shipment that this row shows',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded, or decided if the lane is over a day ahead of the clock' CODEC(Delta, ZSTD(1)),
    INDEX by_item order_item_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_shipment shipment_id TYPE bloom_filter GRANULARITY 1,
    INDEX by_order order_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id, order_item_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'States of order items, including superseded ones; query the view order_items';

CREATE OR REPLACE VIEW order_items
(
    {{columns order_items_state}}
)
AS SELECT {{names order_items_state}}
FROM order_items_state FINAL
COMMENT 'Every order item as it is now, one row each';
