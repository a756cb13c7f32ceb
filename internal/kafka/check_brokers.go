package kafka

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/orderledger/orderledger/internal/preflight"
)

// brokers connects to each configured broker. One that answers is enough to start, so it fails only when none does.
func (i inspector) brokers(ctx context.Context) []preflight.Finding {
	var mu sync.Mutex
	var answer *kmsg.ApiVersionsResponse
	return preflight.AnyOf(i.cfg.Brokers, func(addr string) (string, *preflight.Finding) {
		resp, err := ask(ctx, i.cfg, addr)
		if err != nil {
			f := preflight.Failure(i.cfg.advice(err), "%s: %v", addr, err)
			return "", &f
		}
		mu.Lock()
		answer = resp
		mu.Unlock()
		return addr, nil
	}, func(good []string) preflight.Finding {
		return preflight.Good("%s answered; version judged by its APIs: %s", strings.Join(good, ", "),
			kversion.FromApiVersionsResponse(answer).VersionGuess())
	})
}

// listeners connects to each broker of the cluster at its advertised address, which clients use after the first answer.
// A single broker that does not answer may just have died; if none answers, the advertised addresses are wrong.
func (i inspector) listeners(ctx context.Context) []preflight.Finding {
	brokers, err := i.adm.ListBrokers(ctx)
	if err != nil {
		return i.unknown(err)
	}
	return preflight.AnyOf(brokers, func(b kadm.BrokerDetail) (string, *preflight.Finding) {
		addr := net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		if _, err := versions(ctx, i.client.Broker(int(b.NodeID))); err != nil {
			f := preflight.Failure(
				"start that broker, or set its advertised.listeners to an address that this machine can reach",
				"broker %d advertises %s: %v", b.NodeID, addr, err)
			return "", &f
		}
		return fmt.Sprintf("%d at %s", b.NodeID, addr), nil
	}, func(good []string) preflight.Finding {
		return preflight.Good("reached: %s", strings.Join(good, ", "))
	})
}

func (i inspector) security(context.Context) []preflight.Finding {
	how := "plain text"
	if i.cfg.TLS.On {
		how = "TLS"
	}
	switch {
	case i.cfg.SASL == "":
		return []preflight.Finding{preflight.Good("%s, without a user", how)}
	case !i.cfg.TLS.On:
		return []preflight.Finding{preflight.Warning("set "+envPrefix+"_TLS=true and use the broker's TLS port",
			"%s as %s over plain text: an eavesdropper learns the password, or can guess it", i.cfg.SASL, i.cfg.User)}
	}
	return []preflight.Finding{preflight.Good("%s, %s as %s", how, i.cfg.SASL, i.cfg.User)}
}

// transactionVersion is the lowest finalized level of the feature transaction.version. From this level on the broker
// bumps the epoch with every transaction (KIP-890), so that a late request of an old owner can't end up in the
// transaction of the new one.
const transactionVersion = 2

func (i inspector) transactions(ctx context.Context) []preflight.Finding {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "orderledger", "check"
	resp, err := req.RequestWith(ctx, i.client)
	if err != nil {
		return i.unknown(err)
	}
	level := int16(0)
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			level = f.MaxVersionLevel
		}
	}
	if level < transactionVersion {
		return []preflight.Finding{preflight.Failure(
			fmt.Sprintf("use Apache Kafka 4.0 or newer, and run kafka-features.sh upgrade --feature transaction.version=%d",
				transactionVersion),
			"transaction.version is %d: a late request of an old owner of a lane could end up in the transaction of the new one",
			level)}
	}
	return []preflight.Finding{preflight.Good("transaction.version is %d", level)}
}

func (i inspector) embedded(context.Context) []preflight.Finding {
	return []preflight.Finding{preflight.Good(
		"the embedded broker of another process: transaction.version, replication, elections, retention, rights and clock " +
			"do not apply; the journal repairs transactions that a kill tears")}
}
