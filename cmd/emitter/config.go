package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config and service.Settings.
const (
	// envEndpoints: URLs of endpoints with default settings, separated by commas. Each may be preceded by a name, as in
	// wms=https://wms.example/hook; otherwise the name is made from the URL. Default none.
	envEndpoints = "ORDERLEDGER_EMITTER_ENDPOINTS"
	// envSecrets: "whsec_" secrets of those endpoints, newest first, separated by commas. Default none: messages are
	// unsigned.
	envSecrets = "ORDERLEDGER_EMITTER_SECRETS"
	// envSellers, envLocations, envChannels: what those endpoints may see, as names separated by commas: ids of sellers,
	// locationCodes and channelNames. "*" means all. Default none: as long as one of the three names nothing, the
	// endpoints get nothing.
	envSellers   = "ORDERLEDGER_EMITTER_SELLERS"
	envLocations = "ORDERLEDGER_EMITTER_LOCATIONS"
	envChannels  = "ORDERLEDGER_EMITTER_CHANNELS"
	// envStart: where those endpoints start while they have no position: "now", "earliest", a time as in RFC 3339, or
	// offsets as in "offsets 0=120, 1=98". Default now.
	envStart = "ORDERLEDGER_EMITTER_START"
	// envForgotten: what those endpoints do when Kafka has forgotten their positions: "wait", "start" or "repeat". Default
	// wait.
	envForgotten = "ORDERLEDGER_EMITTER_FORGOTTEN"
	// envHistory: "true" sends those endpoints messages of shipments that were imported as history. Default false.
	envHistory = "ORDERLEDGER_EMITTER_HISTORY"
	// envSettings: path of a JSON file with endpoints and channels and all their settings. Default none.
	envSettings = "ORDERLEDGER_EMITTER_ENDPOINTS_FILE"
	// envInstance: makes this process a static member of its groups. No other running process may have the same value.
	// Default none.
	envInstance = "ORDERLEDGER_EMITTER_INSTANCE_ID"
	// envSession: how long an instance may be silent before its partitions go to others, such as 10s, in all its groups.
	// It must exceed the timeout of each endpoint by two seconds. Default 10s to translate, and the endpoint's timeout
	// plus 15s to deliver. The broker has a lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_EMITTER_SESSION_TIMEOUT"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9103; "off" disables them.
	envAdmin = "ORDERLEDGER_EMITTER_ADMIN_ADDR"
)

const defaultAdmin = "127.0.0.1:9103"

type config struct {
	Kafka   kafka.Config
	Emitter emitter.Config
	service.Settings

	unused []string // Variables that have no effect, because envEndpoints names no endpoint.
}

// unused returns the variables of endpoints that are set although envEndpoints names none. They do not apply to the
// endpoints of a file, and whoever set them must not believe so.
func unused(getenv func(string) string, named bool) (names []string) {
	if named {
		return nil
	}
	for _, name := range []string{envSecrets, envSellers, envLocations, envChannels, envStart, envForgotten, envHistory} {
		if getenv(name) != "" {
			names = append(names, name)
		}
	}
	return names
}

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) { return read(setting.NewReader(getenv)) }

func read(e *setting.Reader) (config, error) {
	cfg := config{Kafka: kafka.DefaultConfig(), Emitter: emitter.DefaultConfig()}
	cfg.Kafka.ClientID = "orderledger-emitter"
	cfg.Kafka.Read(e)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)
	if path := e.Get(envSettings); path != "" {
		settings, err := readSettings(path)
		if err != nil {
			e.Bad(envSettings, "%w", err)
		}
		cfg.Emitter.Deliver.Endpoints, cfg.Emitter.Translate.Channels = settings.Endpoints, settings.Channels
	}
	var urls, secrets []string
	var scope emitter.Scope
	e.SecretList(envEndpoints, &urls)
	e.SecretList(envSecrets, &secrets)
	e.List(envSellers, &scope.Sellers)
	e.List(envLocations, &scope.Locations)
	e.List(envChannels, &scope.Channels)
	for _, text := range urls {
		endpoint, err := emitter.ParseEndpoint(text)
		if err != nil {
			e.Bad(envEndpoints, "%w", err)
			continue
		}
		endpoint.Secrets, endpoint.Scope = secrets, scope
		e.Text(envStart, &endpoint.Start)
		e.Text(envForgotten, &endpoint.Forgotten)
		e.Truth(envHistory, &endpoint.History)
		cfg.Emitter.Deliver.Endpoints = append(cfg.Emitter.Deliver.Endpoints, endpoint)
	}
	e.Text(envInstance, &cfg.Emitter.Translate.InstanceID)
	e.Text(envInstance, &cfg.Emitter.Deliver.InstanceID)
	e.Duration(envSession, &cfg.Emitter.Translate.SessionTimeout)
	cfg.unused = unused(e.Get, len(urls) > 0)
	cfg.Emitter.Deliver.SessionTimeout = cfg.Emitter.Translate.SessionTimeout
	return cfg, errors.Join(append(e.Problems(), cfg.Kafka.Validate(), cfg.Emitter.Validate())...)
}

func readSettings(path string) (emitter.Settings, error) {
	file, err := os.Open(path)
	if err != nil {
		return emitter.Settings{}, err
	}
	defer file.Close()
	settings, err := emitter.ReadSettings(file)
	if err != nil {
		return emitter.Settings{}, fmt.Errorf("%s: %w", path, err)
	}
	return settings, nil
}
