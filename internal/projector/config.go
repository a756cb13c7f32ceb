package projector

import (
	"errors"
	"fmt"
	"time"
)

// Config says how the projector batches.
type Config struct {
	// MaxRows is the most records in a batch. Zero means 50,000.
	MaxRows int
	// MaxBytes is the most bytes of records in a batch, but a batch has at least one. The text of its events is twice
	// that, and the server holds it several times while it sorts: a small server wants less. Zero means 32 MiB.
	MaxBytes int
	// MaxWait is how long a batch is gathered while more records are known to come. Zero means 1 second.
	MaxWait time.Duration
	// IdleWait is how long to wait for known records that do not come before the batch is taken as it is. A batch that
	// ends at the end of its partition is taken at once. Zero means 100 milliseconds.
	IdleWait time.Duration
	// AckWait is how long a finished batch may wait for the next one to acknowledge it, before it is acknowledged by
	// itself. Readers that wait for a position see it that much later. Zero means 10 milliseconds.
	AckWait time.Duration
	// BufferBytes bounds the records that are read and not written yet, over all partitions. Zero means 96 MiB.
	BufferBytes int
	// Inserters is how many batches are written side by side, each over its own connection. Zero means 2.
	Inserters int
	// InstanceID makes the member static: it keeps its partitions over a restart that is shorter than the session
	// timeout. Empty means dynamic. It must differ between instances.
	InstanceID string
	// SessionTimeout is how long the group waits for a member that is silent. Zero means 15 seconds.
	SessionTimeout time.Duration
}

// DefaultConfig returns the configuration that suits most.
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
	return c
}

// maxBlockRows is the most rows of an insert that ClickHouse keeps as one block, and so one part.
const maxBlockRows = 1_000_000

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	for name, v := range map[string]int64{
		"max rows": int64(c.MaxRows), "max bytes": int64(c.MaxBytes), "buffer bytes": int64(c.BufferBytes),
		"inserters": int64(c.Inserters), "max wait": int64(c.MaxWait), "idle wait": int64(c.IdleWait),
		"ack wait": int64(c.AckWait), "session timeout": int64(c.SessionTimeout),
	} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("projector %s: want 0 (the default) or more", name))
		}
	}
	d := c.withDefaults()
	if d.MaxRows > maxBlockRows/10 {
		errs = append(errs, fmt.Errorf("projector max rows %d: above %d a batch might not be one block of every table", d.MaxRows, maxBlockRows/10))
	}
	if d.MaxBytes > 64<<20 {
		errs = append(errs, fmt.Errorf("projector max bytes %d: above 64 MiB a batch might not be one block", d.MaxBytes))
	}
	if d.BufferBytes < d.MaxBytes {
		errs = append(errs, errors.New("projector buffer bytes: less than a batch"))
	}
	if d.SessionTimeout < time.Second {
		errs = append(errs, errors.New("projector session timeout: want at least 1s"))
	}
	return errors.Join(errs...)
}
