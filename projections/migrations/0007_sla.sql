-- One row a clock and version of its shipment. Facts only: the outcome depends on now and is judged by the view.
--
-- Not partitioned: rows replace one another only within a partition, so its key would have to be fixed for life, and a
-- batch of shipments of many months would become as many parts.
CREATE TABLE IF NOT EXISTS sla_clocks
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    seller_id String COMMENT 'Its seller' CODEC(ZSTD(1)),
    location_id LowCardinality(String) COMMENT 'The location it leaves from',
    clock LowCardinality(String) COMMENT 'What is promised: pack, dispatch, deliver, service, tech_visit or reverse_pickup',
    subject_id String COMMENT 'What it is about: the shipment, the service, or return id/item id' CODEC(ZSTD(1)),
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the clock started' CODEC(Delta, ZSTD(1)),
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was due at first; attempts move due_at only' CODEC(Delta, ZSTD(1)),
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is due; the outcome is judged by it' CODEC(Delta, ZSTD(1)),
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done' CODEC(Delta, ZSTD(1)),
    done_day Bool COMMENT 'Only the day of done_at is known; it is compared with the due day in IST',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the promise was taken back' CODEC(Delta, ZSTD(1)),
    attempts UInt32 COMMENT 'How often it was tried',
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id, clock, subject_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'Clocks, also superseded ones, without judgement; read the view sla';

CREATE OR REPLACE VIEW sla
(
    shipment_id String COMMENT 'The shipment',
    seller_id String COMMENT 'Its seller',
    location_id LowCardinality(String) COMMENT 'The location it leaves from',
    clock LowCardinality(String) COMMENT 'What is promised: pack, dispatch, deliver, service, tech_visit or reverse_pickup',
    subject_id String COMMENT 'What it is about: the shipment, the service, or return id/item id',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the clock started',
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was due at first; attempts move due_at only',
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it is due; the outcome is judged by it',
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done',
    done_day Bool COMMENT 'Only the day of done_at is known; it is compared with the due day in IST',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the promise was taken back',
    attempts UInt32 COMMENT 'How often it was tried',
    version UInt64 COMMENT 'Version of the shipment that this is the state of',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded',
    outcome LowCardinality(String) COMMENT 'met, breached (done strictly after due_at), open, overdue (open and past due_at) or cancelled; a clock that is done stays met or breached whatever is cancelled later'
)
AS SELECT shipment_id, seller_id, location_id, clock, subject_id, started_at, first_due_at, due_at, done_at, done_day,
    cancelled_at, attempts, version, updated_at,
    multiIf(
        done_at IS NOT NULL AND done_day, if(toDate(done_at, 'Asia/Kolkata') > toDate(due_at, 'Asia/Kolkata'), 'breached', 'met'),
        done_at IS NOT NULL, if(done_at > due_at, 'breached', 'met'),
        cancelled_at IS NOT NULL, 'cancelled',
        due_at < now64(3), 'overdue',
        'open') AS outcome
FROM sla_clocks FINAL
COMMENT 'Every promise with its outcome as of now, one row a clock';
