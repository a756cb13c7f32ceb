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
    first_due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First due time; reports and attempts move only due_at' CODEC(Delta, ZSTD(1)),
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Current due time, which decides the outcome' CODEC(Delta, ZSTD(1)),
    done_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was done; NULL while it is not' CODEC(Delta, ZSTD(1)),
    done_day Bool COMMENT 'Only the day of done_at is known; it is compared with the due day in IST',
    done_certainty LowCardinality(String) COMMENT 'How sure done_at is: reported, inferred (at the latest then) or assumed (the time of the command); empty while it is not done',
    cancelled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the promise was cancelled' CODEC(Delta, ZSTD(1)),
    failed_attempts UInt32 COMMENT 'Failed attempts',
    extensions UInt32 COMMENT 'How often the seller postponed the due time',
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
    outcome LowCardinality(String) COMMENT 'met, breached (done strictly after due_at), breached_unproven (done_at is inferred and after due_at, so it may have been met), open, overdue (open and past due_at) or cancelled; a clock that is done stays so, even if something is cancelled later',
    due_missed Bool COMMENT 'A cancelled clock whose due time had passed'
)
AS SELECT {{names sla_clocks}},
    multiIf(
        done_at IS NOT NULL AND if(done_day, toDate(done_at, 'Asia/Kolkata') <= toDate(due_at, 'Asia/Kolkata'), done_at <= due_at), 'met',
        done_at IS NOT NULL AND done_certainty = 'inferred', 'breached_unproven',
        done_at IS NOT NULL, 'breached',
        cancelled_at IS NOT NULL, 'cancelled',
        due_at < now64(3), 'overdue',
        'open') AS outcome,
    ifNull(done_at IS NULL AND cancelled_at > due_at, false) AS due_missed
FROM sla_clocks FINAL
COMMENT 'Every promise with its outcome as of now, one row per clock';
