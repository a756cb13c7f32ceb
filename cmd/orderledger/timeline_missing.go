package main

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/shipment"
)

// missingInputs groups the inputs of a shipment by the last decision about each that does not concern a repeat.
const missingInputs = `SELECT result, why, count(), formatDateTime(min(first), '%F %T'), argMax(says, first)
	FROM (
		SELECT argMax(toString(outcome), decisionseq) AS result, argMax(toString(reason), decisionseq) AS why,
			argMax(message, decisionseq) AS says, min(recorded_at) AS first
		FROM decisions WHERE shipment_id = {id:String} AND outcome != 'duplicate' GROUP BY input_key
	)
	GROUP BY result, why ORDER BY min(first), why`

// missing prints why a shipment is not in the tables, and what to do: what is known of it are the decisions about its
// inputs. Without any it is an error.
func missing(ctx context.Context, conn driver.Conn, shipmentID string, screen console.Screen) error {
	rows, err := conn.Query(ctx, missingInputs, clickhouse.Named("id", shipmentID))
	if err != nil {
		return fmt.Errorf("inputs of %s: %w", shipmentID, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err below has the error.
	found := false
	for rows.Next() {
		var outcome, reason, since, message string
		var count uint64
		if err := rows.Scan(&outcome, &reason, &count, &since, &message); err != nil {
			return fmt.Errorf("inputs of %s: %w", shipmentID, err)
		}
		if !found {
			screen.Line(console.Bold, fmt.Sprintf("shipment %s  not created", shipmentID))
		}
		found = true
		screen.Wrap("  ", fmt.Sprintf("%s: %d, since %s (%s): %s", outcome, count, since, reason, message))
		screen.Wrap("  -> ", remedy(outcome, shipment.Code(reason)))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("inputs of %s: %w", shipmentID, err)
	}
	if !found {
		return fmt.Errorf("shipment %s is not known: the tables have no event and no input of it; check the id, "+
			"and with GET /progress whether the tables are behind", shipmentID)
	}
	return nil
}

// remedy is what to do about inputs of a shipment that nothing has created.
func remedy(outcome string, reason shipment.Code) string {
	const creation = "its shipment_created"
	switch {
	case outcome == "waiting":
		return "post " + creation + ", which applies them, or check the id; after 72 hours they are quarantined"
	case reason == shipment.ReasonWaitedTooLong:
		return "post " + creation + ", which still applies them, or check the id"
	case reason == shipment.ReasonOverCap:
		return "post " + creation + ", then send these again: it does not apply them"
	case outcome == "quarantined":
		return "correct it and send it again; the column body of the table decisions holds it"
	case outcome == "rejected":
		return "check the id; a call needs a shipment that " + creation + " has created"
	}
	return "the table decisions has them"
}
