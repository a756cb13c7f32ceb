// Package setting holds what the configurations of connections have in common: it reads environment variables, holds
// secrets, and configures TLS.
//
// It promises:
//
//   - [Reader] collects the problems of all variables instead of stopping at the first, and names the variable in each.
//   - A [Secret] prints as "***" wherever a configuration may end up: in fmt with any verb, in JSON, in slog, and as a
//     field of a struct that is printed. Only [Secret.Reveal] returns it, so a search for that name finds every use.
//   - [TLS] reads its files for each new connection, so that certificates can be renewed while the program runs.
//
// It deliberately knows neither Kafka nor ClickHouse: the package of each reads its own variables, in one place.
//
// It fails with errors that say what to do; [Advice] does the same for connection errors.
package setting
