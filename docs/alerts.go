package docs

import (
	_ "embed" // For alerts.yaml.
)

// Alerts is alerts.yaml, the rules for Prometheus.
//
//go:embed alerts.yaml
var Alerts string
