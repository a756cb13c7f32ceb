package kafka

import (
	"context"

	"github.com/orderledger/orderledger/internal/preflight"
)

// EmbeddedClusterID is the id of the cluster that every embedded broker reports.
const EmbeddedClusterID = "embedded"

// boot reads the boot nonce, without which a program with transactional ids can't start.
func (i inspector) boot(ctx context.Context) []preflight.Finding {
	nonce, err := BootNonce(ctx, i.cfg.BootURL)
	if err != nil {
		return []preflight.Finding{preflight.Failure("start the process that runs this Kafka, and set "+EnvBootURL+
			" to its /boot: it prints the URL at its start. Unset the variable if this is a real cluster", "%v", err)}
	}
	return []preflight.Finding{preflight.Good("the embedded Kafka has the boot nonce %s", nonce)}
}

// bootMissing finds an embedded broker that the configuration takes for a real cluster. Transactions that such a broker
// tears when it is killed would count as damage.
func (i inspector) bootMissing(ctx context.Context) []preflight.Finding {
	brokers, err := i.adm.BrokerMetadata(ctx)
	switch {
	case err != nil:
		return i.unknown(err)
	case brokers.Cluster == EmbeddedClusterID:
		do := "set " + EnvBootURL + " to the /boot of the process that runs it: it prints the URL at its start"
		return []preflight.Finding{preflight.Failure(do, "this Kafka is an embedded one, and no boot nonce is known")}
	}
	return []preflight.Finding{preflight.Good("none is needed: this Kafka is not embedded in another process")}
}
