// Package preflight is the form of start-up checks: what a check is, how its findings are told, and what they mean for
// a program that starts.
//
// It promises that every check is run and told, whatever the others find: an operator sees all problems at once. A
// check that makes no sense after another has failed is told as skipped. A check that panics or hangs is not foreseen;
// each is given a limit through its context.
//
// It knows no check itself: Kafka's are in internal/kafka, ClickHouse's in internal/clickhouse, and each program lists
// its own in checks.go. A check changes nothing anywhere.
//
//	-check:  run all ─▶ table ─▶ exit 0, or 1 if any failed
//	start:   run all ─▶ a failure that would lose or reorder data: refuse to start
//	                 └▶ everything else that is not right: one warning line each, and start
package preflight
