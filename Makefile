# All targets need Go. The embedded ClickHouse engine is downloaded once (about 180 MB), which needs npm. Tools run through
# `go tool`, without an install step.
SHELL := /bin/bash
TOOL  := go tool -modfile=tools.mod
GO    := go
BIN   := bin

.DEFAULT_GOAL := help
.PHONY: help build engine demo up down test test/alerts test/race test/integration test/compose chaos soak measure fuzz bench \
	lint baseline fmt generate verify

help: ## Print the targets
	@awk -F':.*## ' '/^[a-z\/]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build the programs into bin/
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

engine: build ## Download the embedded ClickHouse engine, once, and check its pinned checksum
	@$(BIN)/orderledger engine

demo: engine ## Run everything in one process on real input, and print events, tables and pushes
	$(BIN)/orderledger demo

up: ## Start the services, Kafka and ClickHouse in Docker; COMPOSE_PROFILES=two starts two of each service
	docker compose up --build --wait

down: ## Stop the containers of `make up`; their data stays
	docker compose --profile '*' down

# servers starts Apache Kafka and ClickHouse in containers, if Docker answers and no addresses are set; report prints the
# results.
SERVERS = $(GO) run ./internal/testkit/servers
REPORT  = $(GO) run ./internal/testkit/report
# e2e runs after all other packages: it deletes the ledger's topics on its Kafka, and kills brokers.
others_then_e2e = bash -c '$(GO) test -count=1 -json $(1) $$($(GO) list ./... | grep -v /e2e$$); others=$$?; \
	$(GO) test -count=1 -json $(1) ./e2e && exit $$others'

test: engine ## Run all tests that this machine can run; the last lines name the backends
	@set -o pipefail; $(SERVERS) -- $(call others_then_e2e,-timeout 15m) | $(REPORT)

test/alerts: ## Evaluate the rules of docs/alerts.yaml with the engine of Prometheus, a module of its own
	cd docs/alertstest && $(GO) vet ./... && $(GO) test -count=1 ./...

test/race: engine ## Run the same tests with the race detector
	@set -o pipefail; $(SERVERS) -- $(call others_then_e2e,-race -timeout 30m) | $(REPORT)

test/integration: engine ## Run only the tests on Apache Kafka and a ClickHouse server; fail if neither is available
	@set -o pipefail; ORDERLEDGER_TEST_REAL_ONLY=1 $(SERVERS) -require -- $(GO) test -count=1 -json -timeout 15m \
		./internal/testkit/... ./internal/kafka ./internal/journal/... ./internal/pubsub ./internal/projector ./internal/emitter \
		./internal/clickhouse | $(REPORT)

soak: ## Run the long tests (epochs, takeovers, linearizability) on the Kafka of ORDERLEDGER_TEST_KAFKA
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 60m -run 'EpochOverflow|RacingTakeovers|StepsAtRandom' ./internal/journal
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 60m -run 'IsLinearizable' ./internal/ingest

measure: ## Measure hand-over, kill -9, SIGSTOP, and an empty instance that joins, on that Kafka
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 120m -run 'TestMeasured' ./internal/ingest

chaos: engine ## Run hundreds of faults on Apache Kafka, then count; ORDERLEDGER_CHAOS_SEED repeats a run
	ORDERLEDGER_CHAOS_FAULTS=$${ORDERLEDGER_CHAOS_FAULTS:-200} $(GO) test -count=1 -v -timeout 1h -run 'Chaos|Away|Broker' ./e2e

test/compose: ## Test docker-compose.yml: one of each service, then two of each, killed in turn
	@set -o pipefail; ORDERLEDGER_TEST_COMPOSE=1 $(GO) test -count=1 -json -timeout 60m -run 'TestCompose' ./e2e | $(REPORT)

fuzz: ## Fuzz the parsers of outside input, a minute each
	$(GO) test -fuzz FuzzDecode -fuzztime 1m ./events
	$(GO) test -fuzz FuzzParseNotification -fuzztime 1m ./internal/marketplace
	$(GO) test -fuzz FuzzReadCommands -fuzztime 1m ./internal/marketplace
	$(GO) test -fuzz FuzzAppendJSON -fuzztime 1m ./events
	$(GO) test -fuzz FuzzDecide -fuzztime 1m ./internal/shipment
	$(GO) test -fuzz FuzzDecodeForward -fuzztime 1m ./internal/peer
	$(GO) test -fuzz FuzzDecodeCompleted -fuzztime 1m ./internal/emitter
	$(GO) test -fuzz FuzzParse -fuzztime 1m ./internal/embedded/clickhouse
	$(GO) test -fuzz FuzzWalker -fuzztime 1m ./internal/embedded/clickhouse

bench: engine ## Print our figures beside the raw limits, as medians of one run
	$(GO) run ./internal/bench

# The contract as it was last agreed: whoever adds to it renews this file with `make baseline`, and reviewers see it.
BASELINE = schemas/baseline.binpb

lint: ## Lint the code and the schemas; fail if the schemas break the contract
	$(TOOL) golangci-lint run ./...
	$(TOOL) buf lint
	$(TOOL) buf breaking --against $(BASELINE)

baseline: ## Make the schemas the contract that later changes are checked against
	$(TOOL) buf breaking --against $(BASELINE)
	$(TOOL) buf build -o $(BASELINE)

fmt: ## Format the code
	$(TOOL) golangci-lint fmt ./...

generate: ## Generate Go and JSON Schema from the Protobuf files
	$(TOOL) buf generate

verify: generate ## Fail if generated files are stale
	git diff --exit-code -- schemas
