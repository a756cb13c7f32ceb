package projector

import (
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// The variables that set fields of Config; cmd/projector reads them.
const (
	EnvMaxRows        = "ORDERLEDGER_PROJECTOR_MAX_ROWS"
	EnvBufferBytes    = "ORDERLEDGER_PROJECTOR_BUFFER_BYTES"
	EnvInserters      = "ORDERLEDGER_PROJECTOR_INSERTERS"
	EnvSessionTimeout = "ORDERLEDGER_PROJECTOR_SESSION_TIMEOUT"
)

// Config configures how the projector batches.
type Config struct {
	// MaxRows is the most records in a batch. Zero means 50,000.
	MaxRows int
	// MaxBytes is the most bytes of records in a batch; a batch has at least one record. Their JSON is twice as large, and
	// the server holds it several times while it sorts, so a small server needs a lower limit. Zero means 32 MiB.
	MaxBytes int
	// MaxWait is how long a batch may grow while the partition has more records. Zero means 1 second.
	MaxWait time.Duration
	// IdleWait is how long to wait for the next fetch while the partition has more records; then the batch is written as
	// it is. A batch that ends at the end of its partition is written at once. Zero means 100 milliseconds.
	IdleWait time.Duration
	// AckWait is how long a finished batch may wait to be acknowledged together with the next intent; then it gets a
	// commit of its own. Readers that wait for a position see it that much later. Zero means 10 milliseconds.
	AckWait time.Duration
	// BufferBytes bounds the records that are fetched and not written yet, over all partitions. Zero means 96 MiB.
	BufferBytes int
	// Inserters is how many batches are written concurrently, each over its own connection. Zero means 2.
	Inserters int
	// InstanceID makes the member static: it keeps its partitions across a restart that is shorter than the session
	// timeout. It must differ between instances. Empty means a dynamic member.
	InstanceID string
	// SessionTimeout is how long a member may be silent before the group reassigns its partitions. Half of it is also the
	// lease under which a worker inserts. Zero means 15 seconds.
	SessionTimeout time.Duration
	// LedgerID is the id of the ledger's layout. Tables that another ledger fills are refused. Empty checks nothing.
	LedgerID string
	// OwnerCheckEvery is the interval at which the projector looks whether its tables were replaced. Zero means 10
	// seconds.
	OwnerCheckEvery time.Duration
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{}.withDefaults() }

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.MaxRows, 50_000)
	set(&c.MaxBytes, 32<<20)
	set(&c.BufferBytes, 96<<20)
	set(&c.Inserters, 2)
	wait(&c.MaxWait, time.Second)
	wait(&c.IdleWait, 100*time.Millisecond)
	wait(&c.AckWait, 10*time.Millisecond)
	wait(&c.SessionTimeout, 15*time.Second)
	wait(&c.OwnerCheckEvery, 10*time.Second)
	return c
}

// maxBlockRows is about the most rows of an insert that ClickHouse keeps as one block, and so as one part: 1,048,449
// rows, or 256 MiB. A tenth of it is allowed, because a record can have several rows in a table.
const maxBlockRows = 1_000_000

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	for name, v := range map[string]int{
		EnvMaxRows: c.MaxRows, "projector max bytes": c.MaxBytes, EnvBufferBytes: c.BufferBytes, EnvInserters: c.Inserters,
	} {
		if v < 0 {
			errs = append(errs, setting.Invalid(name, "%d: want 0 (the default) or more", v))
		}
	}
	for name, v := range map[string]time.Duration{
		"projector max wait": c.MaxWait, "projector idle wait": c.IdleWait, "projector ack wait": c.AckWait,
		EnvSessionTimeout: c.SessionTimeout, "projector owner check interval": c.OwnerCheckEvery,
	} {
		if v < 0 {
			errs = append(errs, setting.Invalid(name, "%s: want 0 (the default) or more", v))
		}
	}
	d := c.withDefaults()
	if d.MaxRows > maxBlockRows/10 {
		errs = append(errs, setting.Invalid(EnvMaxRows,
			"%d: want at most %d, so that a batch is one block in each table", d.MaxRows, maxBlockRows/10))
	}
	if d.MaxBytes > 64<<20 {
		errs = append(errs, fmt.Errorf("projector max bytes %d: want at most 64 MiB, so that a batch is one block",
			d.MaxBytes))
	}
	if d.BufferBytes >= 0 && d.BufferBytes < d.MaxBytes {
		errs = append(errs, setting.Invalid(EnvBufferBytes, "%d: want at least %d, the most bytes in a batch",
			d.BufferBytes, d.MaxBytes))
	}
	if d.SessionTimeout >= 0 && d.SessionTimeout < time.Second {
		errs = append(errs, setting.Invalid(EnvSessionTimeout, "%s: want at least 1s", d.SessionTimeout))
	}
	return errors.Join(errs...)
}
