package broker

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Config says where the broker listens and keeps its data.
type Config struct {
	// Addr is host:port to listen on. Port 0 takes a free one.
	Addr string
	// Advertise is the host:port under which clients reach the broker. Empty means the address it listens on. It is needed
	// where clients can't connect to that address, as in a container.
	Advertise string
	// Expose allows an Addr that other machines can reach. False refuses one.
	Expose bool
	// DataDir is the folder of the log. Empty keeps everything in memory.
	DataDir string
	// SyncWrites flushes each batch to the disk before it is acknowledged. Without it, acknowledged records survive a kill
	// but not a loss of power.
	SyncWrites bool
	// MaxLogBytes is the largest log that the broker loads after an unclean stop. Zero means half of the machine's memory;
	// negative means no limit.
	MaxLogBytes int64
	// ReserveBytes is how much of the disk stays free: with less, the broker refuses records. Zero means a twentieth of
	// the disk, 64 MiB at most; negative means none, and then the broker fails at the first write that fails.
	ReserveBytes int64
}

// DefaultConfig returns a broker in memory, on Kafka's usual port of this machine.
func DefaultConfig() Config { return Config{Addr: "127.0.0.1:9092"} }

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var problems []error
	host, port, err := net.SplitHostPort(c.Addr)
	switch n, perr := strconv.ParseUint(port, 10, 16); {
	case err != nil || perr != nil:
		problems = append(problems, fmt.Errorf("embedded kafka address %q: want host:port", c.Addr))
	case !c.Expose && !loopback(host):
		problems = append(problems, fmt.Errorf("embedded kafka address %q: other machines could reach it, and it has no "+
			"authentication; use 127.0.0.1, or allow it with Expose", c.Addr))
	case unspecified(host) && c.Advertise == "":
		problems = append(problems, fmt.Errorf("embedded kafka address %q: clients can't connect to it; "+
			"set the address to advertise, with port %d", c.Addr, n))
	}
	if c.Advertise != "" {
		if _, port, err := net.SplitHostPort(c.Advertise); err != nil || port == "" {
			problems = append(problems, fmt.Errorf("embedded kafka advertised address %q: want host:port", c.Advertise))
		}
	}
	return errors.Join(problems...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || (ip != nil && ip.IsUnspecified())
}
