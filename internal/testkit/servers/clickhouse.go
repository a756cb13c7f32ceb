package main

import (
	"context"
	"crypto/rand"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/testcontainers/testcontainers-go"

	"github.com/orderledger/orderledger/internal/testkit"
)

func startClickHouse(ctx context.Context, d *docker, image string) (map[string]string, error) {
	user, password := "tests", rand.Text()
	c, err := d.run(ctx, image, testcontainers.WithExposedPorts("9000/tcp"),
		testcontainers.WithEnv(map[string]string{"CLICKHOUSE_USER": user, "CLICKHOUSE_PASSWORD": password}))
	if err != nil {
		return nil, err
	}
	addr, err := d.address(ctx, c, "9000/tcp")
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{addr}, Auth: clickhouse.Auth{Username: user, Password: password},
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return map[string]string{
		testkit.EnvClickHouse: addr, testkit.EnvClickHouseUser: user, testkit.EnvClickHousePassword: password,
	}, await(ctx, c, conn.Ping)
}
