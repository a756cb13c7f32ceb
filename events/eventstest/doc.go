// Package eventstest makes records of the ledger for tests: a record of each type with every field set, and whole lanes
// of plausible shipments with envelopes and chains. It decides nothing: its states agree with their events in the
// fields that readers use, but they do not follow the aggregate's rules. It panics on mistakes of the test.
package eventstest
