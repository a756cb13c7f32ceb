# Everything needs Go; the engine (fetched once, about 180 MB) needs npm. Tools come by `go tool`, without an install step.
SHELL := /bin/bash
TOOL  := go tool -modfile=tools.mod
GO    := go
BIN   := bin

.DEFAULT_GOAL := help
.PHONY: help build engine demo up down test test/race test/integration test/compose chaos soak measure fuzz bench lint fmt generate verify

help: ## Show the targets
	@awk -F':.*## ' '/^[a-z\/]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build the programs into bin/
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

engine: build ## Fetch the embedded ClickHouse engine once, checked against its pinned sum
	@$(BIN)/orderledger engine

demo: engine ## Run everything in one process on real input: events, tables and pushes are shown
	$(BIN)/orderledger demo

up: ## Run the services with Kafka and ClickHouse in Docker until they are ready; COMPOSE_PROFILES=two runs two of each
	docker compose up --build --wait

down: ## Stop what up started; the data stays
	docker compose --profile '*' down

# Starts Apache Kafka and ClickHouse in containers where Docker answers, unless there are addresses of them.
SERVERS = $(GO) run ./internal/testkit/servers
REPORT  = $(GO) run ./internal/testkit/report
# e2e runs after all others: it deletes the ledger's topics of the Kafka it is given, and kills its brokers.
alone_then_e2e = bash -c '$(GO) test -count=1 -json $(1) $$($(GO) list ./... | grep -v /e2e$$); others=$$?; $(GO) test -count=1 -json $(1) ./e2e && exit $$others'

test: engine ## Run every test that this machine can run; the last lines say which backends ran
	@set -o pipefail; $(SERVERS) -- $(call alone_then_e2e,-timeout 15m) | $(REPORT)

test/race: engine ## The same under the race detector
	@set -o pipefail; $(SERVERS) -- $(call alone_then_e2e,-race -timeout 30m) | $(REPORT)

test/integration: engine ## Only what runs on Apache Kafka and a ClickHouse server; fails when neither is there
	@set -o pipefail; ORDERLEDGER_TEST_REAL_ONLY=1 $(SERVERS) -require -- $(GO) test -count=1 -json -timeout 15m \
		./internal/testkit ./internal/kafka ./internal/journal ./internal/pubsub ./internal/projector ./internal/emitter ./internal/clickhouse | $(REPORT)

soak: ## The long tests, on the Apache Kafka of ORDERLEDGER_TEST_KAFKA: 140,000 transactions on a lane, many takeovers, linearizability
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 60m -run 'OverTheEndOfTheEpochs|RacingTakeovers|StepsAtRandom' ./internal/journal
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 60m -run 'IsLinearizable' ./internal/ingest

measure: ## How long a lane is without an owner: planned hand-over, kill -9, SIGSTOP; on the Apache Kafka of ORDERLEDGER_TEST_KAFKA
	ORDERLEDGER_TEST_SOAK=1 $(GO) test -count=1 -v -parallel 1 -timeout 60m -run 'TestMeasured' ./internal/ingest

chaos: engine ## Hundreds of faults on a real Kafka, then counted; repeat a run with ORDERLEDGER_CHAOS_SEED
	ORDERLEDGER_CHAOS_FAULTS=$${ORDERLEDGER_CHAOS_FAULTS:-200} $(GO) test -count=1 -v -timeout 1h -run 'Chaos|Away|Broker' ./e2e

test/compose: ## Run docker-compose.yml: one of each service, then two that are killed in turn
	@set -o pipefail; ORDERLEDGER_TEST_COMPOSE=1 $(GO) test -count=1 -json -timeout 60m -run 'TestTheComposed|TestTwoInstances' ./e2e | $(REPORT)

fuzz: ## Fuzz what reads bytes from outside, a minute each
	$(GO) test -fuzz FuzzDecode -fuzztime 1m ./events
	$(GO) test -fuzz FuzzParseNotification -fuzztime 1m ./internal/marketplace
	$(GO) test -fuzz FuzzReadCommands -fuzztime 1m ./internal/marketplace
	$(GO) test -fuzz FuzzAppendJSON -fuzztime 1m ./events
	$(GO) test -fuzz FuzzNothingThatIsToldPanics -fuzztime 1m ./internal/shipment
	$(GO) test -fuzz FuzzDecodeForward -fuzztime 1m ./internal/ingest
	$(GO) test -fuzz FuzzDecodeMarks -fuzztime 1m ./internal/emitter
	$(GO) test -fuzz FuzzParse -fuzztime 1m ./internal/embedded/clickhouse
	$(GO) test -fuzz FuzzWalker -fuzztime 1m ./internal/embedded/clickhouse

bench: engine ## Our figures beside the raw limits, in one run, with medians
	$(GO) run ./internal/bench

lint: ## Check the code and the schemas
	$(TOOL) golangci-lint run ./...
	$(TOOL) buf lint

fmt: ## Format the code
	$(TOOL) golangci-lint fmt ./...

generate: ## Generate code and JSON Schema from the Protobuf files
	$(TOOL) buf generate

verify: generate ## Fail when generated files are stale or the contract was broken since main
	git diff --exit-code -- schemas
	$(TOOL) buf breaking --against '.git#branch=main'
