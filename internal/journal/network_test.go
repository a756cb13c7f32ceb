package journal

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// over puts a link between an instance and its brokers.
func over(link *netfault.Link) option {
	return func(_ *Config, d *Deps, _ *Journal) {
		d.Options = append(append([]kgo.Opt{}, d.Options...), kgo.Dialer(link.Dial))
	}
}

// named makes an instance a static member: its successor of the same name takes its place at once.
func named(id string) option { return config(func(c *Config) { c.InstanceID = id }) }

// quick lets a group notice within a second that a member is gone.
func quick() kfake.Opt {
	return kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"})
}

// copyDir copies a store as a crash leaves it, without anything that was not written to a file.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	}))
	return to
}
