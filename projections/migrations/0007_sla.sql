-- One row per clock and version of its shipment. It holds facts only: the view computes the outcome when it is read,
-- because an open clock becomes overdue without any event.
-- Not partitioned, and merged early, for the reasons given in 0003_shipments.sql.
CREATE TABLE IF NOT EXISTS sla_clocks
(
    shipment_id String COMMENT 'The shipment' CODEC(ZSTD(1)),
    seller_id String COMMENT 'Its seller' CODEC(ZSTD(1)),
    location_id LowCardinality(String) COMMENT 'The location that it leaves from',
    clock LowCardinality(String) COMMENT 'What is promised: pack, dispatch, deliver, service, tech_visit or reverse_pickup',
    subject_id String COMMENT 'What the promise is about: the shipment, the service, or return id/item id' CODEC(ZSTD(1)),
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the clock started' CODEC(Delta, ZSTD(1)),
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First due time; attempts move only due_at' CODEC(Delta, ZSTD(1)),
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Current due time, which decides the outcome' CODEC(Delta, ZSTD(1)),
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done; NULL while it is not' CODEC(Delta, ZSTD(1)),
    done_day Bool COMMENT 'Only the day of done_at is known; it is compared with the due day in IST',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the promise was cancelled' CODEC(Delta, ZSTD(1)),
    attempts UInt32 COMMENT 'Number of attempts',
    version UInt64 COMMENT 'Version of the shipment that this row shows',
    updated_at DateTime64(3, 'UTC') COMMENT 'When that version was recorded, or decided if the lane is over a day ahead of the clock' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (seller_id, shipment_id, clock, subject_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    replicated_deduplication_window_seconds = 604800, min_age_to_force_merge_seconds = 600
COMMENT 'Clocks, including superseded ones, without their outcome; query the view sla';

CREATE OR REPLACE VIEW sla
(
    {{columns sla_clocks}},
    outcome LowCardinality(String) COMMENT 'met, breached (done strictly after due_at), open, overdue (open and past due_at) or cancelled; a clock that is done stays met or breached, even if something is cancelled later'
)
AS SELECT {{names sla_clocks}},
    multiIf(
        done_at IS NOT NULL AND done_day, if(toDate(done_at, 'Asia/Kolkata') > toDate(due_at, 'Asia/Kolkata'), 'breached', 'met'),
        done_at IS NOT NULL, if(done_at > due_at, 'breached', 'met'),
        cancelled_at IS NOT NULL, 'cancelled',
        due_at < now64(3), 'overdue',
        'open') AS outcome
FROM sla_clocks FINAL
COMMENT 'Every promise with its outcome as of now, one row per clock';
