// Package eventstest makes records of the ledger for tests: one of every type with every field set, and whole lanes of
// plausible shipments with their envelopes and chains. It makes no decisions: the states look right and are consistent
// with their events where readers look, but no aggregate stands behind them.
package eventstest
