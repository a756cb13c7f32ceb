package e2e

import "testing"

// TestServicesUndisturbed runs the three services on Apache Kafka while nothing goes wrong. Every promise is kept.
func TestServicesUndisturbed(t *testing.T) {
	s := newScenario(t, newBrokers(t), plan{instances: 1, lanes: 4}, 1, 100)
	s.awaitPromises(300)
	s.end()
}
