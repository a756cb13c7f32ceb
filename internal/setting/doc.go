// Package setting is what the configurations of connections have in common: how variables of the environment are read,
// how a secret is held, and how TLS is spoken.
//
// It promises:
//
//   - [Reader] collects every problem of the variables instead of stopping at the first, and names the variable in
//     each.
//   - A [Secret] shows as "***" wherever a configuration may end up: in fmt with any verb, in JSON, in slog, and as a
//     field of something that is printed. Only [Secret.Reveal] gives it, so a search for that name finds every use.
//   - [TLS] reads its files at each new connection, so that certificates can be renewed under a running program.
//
// It deliberately knows neither Kafka nor ClickHouse: each of them reads its own variables, in one place.
//
// It fails with errors that say what to do; [Advice] does the same for errors of connections.
package setting
