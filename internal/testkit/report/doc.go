// Command report reads the output of `go test -json` and prints what people need of it: failures with their output, a
// line for each package, then the backends that the tests ran on, with their versions and numbers of tests, or the
// reason why one was not available, and every reason for which tests were skipped. Nothing is skipped silently. When a
// package runs into its limit or panics outside of a test, the stacks are shown, up to a number of lines.
//
// While the tests run, it says how many have passed, which packages are done, and which run for how long: in the last
// line of a terminal, elsewhere in a line whenever nothing was printed for half a minute.
//
//	go test -json ./... | report
//
// It exits with 1 when a test failed. Lines that are not JSON are copied.
package main
