package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/service"
)

// servers are the embedded Kafka and ClickHouse; either may be absent.
type servers struct {
	kafka      *broker.Broker
	clickhouse *clickhouse.Server
}

// startServers starts the servers concurrently and returns when they accept connections. After an error none is left
// running.
func startServers(ctx context.Context, o upOptions, log *slog.Logger, reg prometheus.Registerer) (servers, error) {
	var s servers
	var starts []func() error
	if o.Only != onlyClickHouse {
		cfg := broker.DefaultConfig()
		cfg.Addr, cfg.DataDir = o.KafkaListen, filepath.Join(o.Data, "kafka")
		// The default is loopback: any other address is the explicit choice of the operator.
		cfg.Expose = !isLoopback(o.KafkaListen)
		s.kafka = broker.New(cfg, log.With(slog.String("part", "kafka")))
		starts = append(starts, func() error { return wrap("embedded Kafka", s.kafka.Start(ctx)) })
	}
	if o.Only != onlyKafka {
		cfg := clickhouse.DefaultConfig()
		cfg.DataDir, cfg.Library = filepath.Join(o.Data, "clickhouse"), o.Engine
		cfg.NativeAddr, cfg.HTTPAddr = o.ClickHouseListen, o.ClickHouseHTTPListen
		cfg.MaxMemoryBytes = o.ClickHouseMemory
		if o.Only == onlyClickHouse {
			// The same variables as the published image.
			cfg.User, cfg.Password = os.Getenv("CLICKHOUSE_USER"), os.Getenv("CLICKHOUSE_PASSWORD")
			cfg.Database = os.Getenv("CLICKHOUSE_DB")
		}
		s.clickhouse = clickhouse.New(cfg, log.With(slog.String("part", "clickhouse")), reg)
		starts = append(starts, func() error { return wrap("embedded ClickHouse", s.clickhouse.Start(ctx)) })
	}
	var group errgroup.Group
	for _, start := range starts {
		group.Go(start)
	}
	if err := group.Wait(); err != nil {
		return servers{}, errors.Join(err, s.Close())
	}
	return s, nil
}

// unit ends the process when the broker has failed: it can't go on, and only a new process can use its folder.
func (s servers) unit() service.Unit { return service.Unit{Name: "kafka", Run: s.kafka.Await} }

// Close stops both, the broker last: its clients must have been closed by then.
func (s servers) Close() error {
	var errs []error
	if s.clickhouse != nil {
		errs = append(errs, wrap("close embedded ClickHouse", s.clickhouse.Close()))
	}
	if s.kafka != nil {
		errs = append(errs, wrap("close embedded Kafka", s.kafka.Close()))
	}
	return errors.Join(errs...)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// isLoopback reports whether only this machine can reach the address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // Validate reports the error.
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
