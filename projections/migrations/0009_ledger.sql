-- Which ledger fills these tables. The projector writes the row before its first batch and reads it at each start: rows
-- of two ledgers must not mix, and tables that lost their rows must not look complete.
CREATE TABLE IF NOT EXISTS ledger
(
    ledger_id String COMMENT 'Id of the ledger, as in orders.layout.v1',
    tables_id String COMMENT 'Random id of these tables, given when they were filled for the first time',
    filled_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When that was'
)
ENGINE = MergeTree
ORDER BY (filled_at, tables_id)
COMMENT 'The ledger that fills these tables; the first row counts';
