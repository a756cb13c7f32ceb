// Package preflight defines start-up checks: what a check is, how its findings are reported, and what they mean for a
// program that starts.
//
// It promises that every check runs and is reported, whatever the others find: an operator sees all problems at once. A
// check that makes no sense after another one failed is reported as skipped. Each check gets a limit through its
// context. The package does not expect a check to panic, or to ignore that limit.
//
// It contains no check itself: Kafka's are in internal/kafka, ClickHouse's in internal/clickhouse, and each program
// lists its own in checks.go. A check changes nothing anywhere.
//
//	-check:  run all ─▶ table ─▶ exit 0, or 1 if any failed
//	start:   run all ─▶ a failure that would lose or reorder data: refuse to start
//	                 └▶ every other failure and warning: one log line each, and start
package preflight
