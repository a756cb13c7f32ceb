// Package alertstest evaluates the rules of docs/alerts.yaml with Prometheus' own engine. It is a module of its own, so
// that the services don't depend on Prometheus.
package alertstest
