-- Records that could not be decoded. A projector that takes over may dead-letter one again, so the position is the key
-- and the latest row wins.
CREATE TABLE IF NOT EXISTS dead_letters_history
(
    topic     LowCardinality(String) COMMENT 'Topic of the record',
    partition UInt16 COMMENT 'Partition of the record',
    offset    UInt64 COMMENT 'Offset of the record',
    reason    String COMMENT 'Why it could not be decoded',
    key       String COMMENT 'Key of the record, as bytes',
    headers   Array(Tuple(key String, value String)) COMMENT 'Headers of the record, values as bytes',
    value     String COMMENT 'Value of the record, as bytes' CODEC(ZSTD(1)),
    at        DateTime64(3, 'UTC') COMMENT 'When it was dead-lettered'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800
COMMENT 'Records that could not be decoded, perhaps more than once; query the view dead_letters';

CREATE OR REPLACE VIEW dead_letters
(
    {{columns dead_letters_history}}
)
AS SELECT {{names dead_letters_history}}
FROM dead_letters_history FINAL
COMMENT 'Records that could not be decoded, one row each; the topic orders.deadletters.v1 holds them too';
