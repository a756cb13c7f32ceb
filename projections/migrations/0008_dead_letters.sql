-- Records that could not be read. A projector that takes over may set one aside again, so rows are keyed by position.
CREATE TABLE IF NOT EXISTS dead_letters_history
(
    topic     LowCardinality(String) COMMENT 'Topic of the record',
    partition UInt16 COMMENT 'Partition of the record',
    offset    UInt64 COMMENT 'Offset of the record',
    reason    String COMMENT 'Why it could not be read',
    key       String COMMENT 'Key of the record, as bytes',
    headers   Array(Tuple(key String, value String)) COMMENT 'Headers of the record, values as bytes',
    value     String COMMENT 'Value of the record, as bytes' CODEC(ZSTD(1)),
    at        DateTime64(3, 'UTC') COMMENT 'When it was set aside'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800
COMMENT 'Records that could not be read, perhaps more than once; read the view dead_letters';

CREATE OR REPLACE VIEW dead_letters
(
    topic     LowCardinality(String) COMMENT 'Topic of the record',
    partition UInt16 COMMENT 'Partition of the record',
    offset    UInt64 COMMENT 'Offset of the record',
    reason    String COMMENT 'Why it could not be read',
    key       String COMMENT 'Key of the record, as bytes',
    headers   Array(Tuple(key String, value String)) COMMENT 'Headers of the record, values as bytes',
    value     String COMMENT 'Value of the record, as bytes',
    at        DateTime64(3, 'UTC') COMMENT 'When it was set aside'
)
AS SELECT topic, partition, offset, reason, key, headers, value, at
FROM dead_letters_history FINAL
COMMENT 'Records that could not be read, one row each; orders.deadletters.v1 holds them too';
