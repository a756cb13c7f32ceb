package ingest

import (
	"context"
	"fmt"
)

// summaryReport says how the inputs of a story ended.
type summaryReport struct {
	CorrelationID string `json:"correlationId"`
	// Inputs is how many distinct inputs there were.
	Inputs uint64 `json:"inputs"`
	// Outcomes counts them by their final outcome.
	Outcomes map[string]uint64 `json:"outcomes"`
	// Reasons counts the final reasons of those that have one.
	Reasons map[string]uint64 `json:"reasons"`
}

// summary handles GET /decisions/summary?correlation_id=. An input may have several decisions: one that waited has a
// second when its waiting ends, and a repeat of an input has one that says duplicate. What counts is what became of the
// input: the last decision that is not about a repeat, the only one where all are.
func (g *Ingest) summary(ctx context.Context, c *call) error {
	if g.states.conn == nil {
		return errNoReads()
	}
	report := summaryReport{
		CorrelationID: c.r.URL.Query().Get("correlation_id"), Outcomes: map[string]uint64{}, Reasons: map[string]uint64{},
	}
	if report.CorrelationID == "" {
		return newProblem(problemUnprocessable, "correlation_id is needed")
	}
	if err := g.await(ctx, c); err != nil {
		return err
	}
	rows, err := g.states.conn.Query(ctx, `SELECT final.1 AS outcome, final.2 AS reason, count()
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
	defer rows.Close() //nolint:errcheck // What went wrong is in rows.Err.
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
	return c.respond(report)
}
