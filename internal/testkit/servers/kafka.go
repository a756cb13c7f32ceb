package main

import (
	"context"
	"fmt"

	"github.com/testcontainers/testcontainers-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/testkit"
)

// kafkaSettings are those of docker-compose.servers.yml, except for the ports, the retention of offsets, and fewer
// partitions of Kafka's own topics: tests start it often and keep nothing.
var kafkaSettings = map[string]string{
	"KAFKA_NODE_ID": "1", "KAFKA_PROCESS_ROLES": "broker,controller",
	"KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094", "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
	"KAFKA_LISTENERS": "INSIDE://localhost:9093,HOST://:9092,CONTROLLER://localhost:9094",

	"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":                   "INSIDE:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
	"KAFKA_INTER_BROKER_LISTENER_NAME":                       "INSIDE",
	"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                        "false",
	"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":                 "1",
	"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":                     "4",
	"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR":         "1",
	"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":                    "1",
	"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":             "4",
	"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
	"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR":            "1",
	"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":                 "0",
	"KAFKA_HEAP_OPTS":                                        "-Xms256m -Xmx768m",
}

// startScript is what the container waits for: the port that it must advertise is known only once it runs.
const startScript = "/tmp/start.sh"

func startKafka(ctx context.Context, d *docker, image string) (map[string]string, error) {
	c, err := d.run(ctx, image, testcontainers.WithExposedPorts("9092/tcp"), testcontainers.WithEnv(kafkaSettings),
		testcontainers.WithEntrypoint("sh", "-c",
			"while [ ! -f "+startScript+" ]; do sleep 0.1; done; exec bash "+startScript))
	if err != nil {
		return nil, err
	}
	addr, err := d.address(ctx, c, "9092/tcp")
	if err != nil {
		return nil, err
	}
	script := fmt.Sprintf(
		"export KAFKA_ADVERTISED_LISTENERS=INSIDE://localhost:9093,HOST://%s\nexec /etc/kafka/docker/run\n", addr)
	if err := c.CopyToContainer(ctx, []byte(script), startScript, 0o755); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return map[string]string{testkit.EnvKafka: addr}, await(ctx, c, client.Ping)
}
