package ingest

import (
	"context"
	"fmt"

	"github.com/orderledger/orderledger/internal/httpx"
)

// summaryReport counts the inputs of a story by their outcomes.
type summaryReport struct {
	CorrelationID string `json:"correlationId"`
	// Inputs is the number of distinct inputs.
	Inputs uint64 `json:"inputs"`
	// Outcomes counts them by their final outcome.
	Outcomes map[string]uint64 `json:"outcomes"`
	// Reasons counts the final reasons of those that have one.
	Reasons map[string]uint64 `json:"reasons"`
}

// summary handles GET /decisions/summary?correlation_id=. An input may have several decisions: an input that waited
// gets a second one when its waiting ends, and a repeat of an input gets one with the outcome duplicate. The final
// outcome is that of the last decision that is not about a repeat; if all are, that of the last.
func (r *reads) summary(ctx context.Context, c *httpx.Call) error {
	if r.states.conn == nil {
		return noReadModel()
	}
	report := summaryReport{
		CorrelationID: c.Request.URL.Query().Get("correlation_id"),
		Outcomes:      map[string]uint64{}, Reasons: map[string]uint64{},
	}
	if report.CorrelationID == "" {
		return httpx.Unprocessable.New("correlation_id is needed")
	}
	if err := r.watcher.await(ctx, c); err != nil {
		return err
	}
	if err := within(ctx, r.timeout, func(ctx context.Context) error { return r.count(ctx, &report) }); err != nil {
		return err
	}
	return c.Respond(report)
}

// count counts the inputs of the report's story.
func (r *reads) count(ctx context.Context, report *summaryReport) error {
	rows, err := r.states.conn.Query(ctx, `SELECT final.1 AS outcome, final.2 AS reason, count()
FROM (
	SELECT argMax((outcome, reason), (reason != 'repeated_key', decisionseq)) AS final
	FROM decisions
	WHERE correlation_id = ?
	GROUP BY shipment_id, input_key
)
GROUP BY outcome, reason`, report.CorrelationID)
	if err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err reports it.
	for rows.Next() {
		var outcome, reason string
		var n uint64
		if err := rows.Scan(&outcome, &reason, &n); err != nil {
			return fmt.Errorf("summary: %w", err)
		}
		report.Inputs += n
		report.Outcomes[outcome] += n
		if reason != "" {
			report.Reasons[reason] += n
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	return nil
}
