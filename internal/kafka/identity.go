package kafka

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

var nonce = regexp.MustCompile(`^[A-Za-z0-9]{4,64}$`)

// BootNonce asks the owner of an embedded broker for the nonce of its current boot. An empty url means a real cluster
// and gives an empty nonce.
//
// A broker that was killed loses track of the transactions it had open; an id that no earlier boot used can not be
// mistaken for theirs.
func BootNonce(ctx context.Context, url string) (string, error) {
	if url == "" {
		return "", nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("boot nonce of %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("boot nonce: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256))
	if err != nil {
		return "", fmt.Errorf("boot nonce of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("boot nonce of %s: answered %s", url, resp.Status)
	}
	boot := strings.TrimSpace(string(body))
	if !nonce.MatchString(boot) {
		return "", fmt.Errorf("boot nonce of %s: %q is not a nonce", url, boot)
	}
	return boot, nil
}

// TransactionalPrefix returns what every transactional id of a ledger starts with: "<cluster>", or "<cluster>-<boot>"
// when the broker is embedded.
func TransactionalPrefix(cluster, boot string) string {
	if boot == "" {
		return cluster
	}
	return cluster + "-" + boot
}

// ResolvePrefix asks for the boot nonce where the configuration names an embedded broker, and returns the transactional
// prefix. It must be called again after such a broker has restarted.
func ResolvePrefix(ctx context.Context, cfg Config) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	boot, err := BootNonce(ctx, cfg.BootURL)
	if err != nil {
		return "", err
	}
	return TransactionalPrefix(cfg.Cluster, boot), nil
}

// LaneTransactionalIDs returns the two transactional ids a lane's owner writes with in turn, "<prefix>-lane-<n>-Aa" and
// "…-BB".
//
// The endings are not arbitrary: Kafka chooses a transaction's coordinator by Java's hashCode of its id, and "Aa" and
// "BB" have the same one. Two ids with one coordinator wake each other's replication, which is what makes back-to-back
// transactions fast.
func LaneTransactionalIDs(prefix string, lane int32) (aa, bb string) {
	id := fmt.Sprintf("%s-lane-%d-", prefix, lane)
	return id + "Aa", id + "BB"
}
