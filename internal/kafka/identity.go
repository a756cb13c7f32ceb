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

// BootNonce asks the process with an embedded broker for the nonce of its current boot. An empty url means a real
// cluster and returns an empty nonce.
//
// A killed embedded broker forgets its open transactions. A transactional id with a new nonce can't be mistaken for one
// of those.
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
		return "", fmt.Errorf("boot nonce of %s: %w", url, err)
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

// TransactionalPrefix returns the prefix of all transactional ids of a ledger: "<cluster>", or "<cluster>-<boot>" when
// the broker is embedded.
func TransactionalPrefix(cluster, boot string) string {
	if boot == "" {
		return cluster
	}
	return cluster + "-" + boot
}

// ResolvePrefix returns the transactional prefix. It reads the boot nonce when the configuration names an embedded
// broker and must be called again after such a broker restarts.
func ResolvePrefix(ctx context.Context, cfg Config) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	boot, err := BootNonce(ctx, cfg.BootURL)
	if err != nil {
		return "", err
	}
	return TransactionalPrefix(cfg.Cluster, boot), nil
}

// LaneTransactionalIDs returns the two transactional ids that the owner of a lane uses in turn, "<prefix>-lane-<n>-Aa"
// and "…-BB".
//
// The endings are not arbitrary: Kafka chooses the coordinator by Java's hashCode of the transactional id, and "Aa" and
// "BB" have the same hash code. Two ids with one coordinator wake each other's replication, which makes back-to-back
// transactions fast.
func LaneTransactionalIDs(prefix string, lane int32) (aa, bb string) {
	id := fmt.Sprintf("%s-lane-%d-", prefix, lane)
	return id + "Aa", id + "BB"
}
