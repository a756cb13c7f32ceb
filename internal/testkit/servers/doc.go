// Command servers runs a command, usually `go test`, with the addresses of an Apache Kafka and a ClickHouse server in
// its environment.
//
//	servers -- go test ./...
//	servers -require -- go test ./...    fail if neither server is available
//
// An address that is already set is used as it is. Otherwise the server starts in a container, from the image that
// .env.images names, if Docker answers and the image can be pulled. If not, a variable with the suffix _ABSENT gives
// the command the reason, and its tests print it. Containers end with the command.
package main
