package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/bojanz/currency"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config and service.Settings. Their meanings are in read.
const (
	envAdmin     = "ORDERLEDGER_EMITTER_ADMIN_ADDR"
	envInstance  = "ORDERLEDGER_EMITTER_INSTANCE_ID"
	envSession   = emitter.EnvSessionTimeout
	envEndpoints = "ORDERLEDGER_EMITTER_ENDPOINTS"
	envSecrets   = "ORDERLEDGER_EMITTER_SECRETS"
	envSellers   = "ORDERLEDGER_EMITTER_SELLERS"
	envLocations = "ORDERLEDGER_EMITTER_LOCATIONS"
	envChannels  = "ORDERLEDGER_EMITTER_CHANNELS"
	envStart     = "ORDERLEDGER_EMITTER_START"
	envForgotten = "ORDERLEDGER_EMITTER_FORGOTTEN"
	envHistory   = "ORDERLEDGER_EMITTER_HISTORY"
	envSettings  = "ORDERLEDGER_EMITTER_ENDPOINTS_FILE"
)

const defaultAdmin = "127.0.0.1:9103"

type config struct {
	Kafka   kafka.Config
	Emitter emitter.Config
	service.Settings

	unused []string // Variables that have no effect, because envEndpoints names no endpoint.
}

// read reads the environment and reports every problem at once.
func read(e *setting.Reader) (config, error) {
	cfg := config{Kafka: kafka.DefaultConfig(), Emitter: emitter.DefaultConfig()}
	cfg.Kafka.ClientID = "orderledger-emitter"
	cfg.Kafka.Read(e)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)
	readGroups(e, &cfg.Emitter)
	readFile(e, &cfg.Emitter)
	readEndpoints(e, &cfg)
	return cfg, errors.Join(append(e.Problems(), cfg.Kafka.Validate(), cfg.Emitter.Validate())...)
}

func readGroups(e *setting.Reader, cfg *emitter.Config) {
	e.Text(envInstance, &cfg.Translate.InstanceID, "makes the instance a static member of its groups, which keeps its "+
		"partitions over a short restart; unique among running instances")
	cfg.Deliver.InstanceID = cfg.Translate.InstanceID
	e.Duration(envSession, &cfg.Translate.SessionTimeout, "without a heartbeat for this long, the groups assign the "+
		"instance's partitions to others; at least 2s above the timeout of each endpoint. 0s: 10s to translate, and the "+
		"endpoint's timeout plus 15s to deliver")
	if cfg.Translate.SessionTimeout < 0 { // Both stages would report it.
		e.Bad(envSession, "%s: want 0s (the defaults) or more", cfg.Translate.SessionTimeout)
		cfg.Translate.SessionTimeout = 0
	}
	cfg.Deliver.SessionTimeout = cfg.Translate.SessionTimeout
}

// readEndpoints reads the endpoints of variables, which have the same settings.
func readEndpoints(e *setting.Reader, cfg *config) {
	var urls []string
	e.SecretList(envEndpoints, &urls, "endpoints, a list of URLs, each with a name before it, such as "+
		"wms=https://wms.example/hook; the name identifies the endpoint, so another name is a new endpoint")
	settings := emitter.Endpoint{Start: emitter.StartNow, Forgotten: emitter.ForgottenWait}
	// An endpoint with one setting shows what is wrong with that setting.
	check := func(name string, with emitter.Endpoint) {
		with.Name, with.URL = "endpoint", "http://endpoint.example"
		if err := with.Validate(); err != nil {
			e.Bad(name, "%w", err)
		}
	}
	e.SecretList(envSecrets, &settings.Secrets,
		"`whsec_` secrets that sign the messages to those endpoints, newest first. None: messages are not signed")
	check(envSecrets, emitter.Endpoint{Secrets: settings.Secrets})
	scope := &settings.Scope
	e.List(envSellers, &scope.Sellers,
		"ids of the sellers that those endpoints may see; `*` means all. None: they get nothing")
	check(envSellers, emitter.Endpoint{Scope: emitter.Scope{Sellers: scope.Sellers}})
	e.List(envLocations, &scope.Locations, "the same for the `locationCode` of messages")
	check(envLocations, emitter.Endpoint{Scope: emitter.Scope{Locations: scope.Locations}})
	e.List(envChannels, &scope.Channels, "the same for the `channelName` of messages")
	check(envChannels, emitter.Endpoint{Scope: emitter.Scope{Channels: scope.Channels}})
	e.Text(envStart, &settings.Start, "where those endpoints start while they have no position: `now`, `earliest`, a "+
		"time such as 2026-01-31T00:00:00Z, or offsets such as `offsets 0=120, 1=98`")
	check(envStart, emitter.Endpoint{Start: settings.Start})
	e.Text(envForgotten, &settings.Forgotten, "what those endpoints do if Kafka has forgotten their positions: `wait` "+
		"for you, `start` as new ones, or `repeat` everything from their first start on")
	check(envForgotten, emitter.Endpoint{Forgotten: settings.Forgotten})
	e.Truth(envHistory, &settings.History,
		"`true`: those endpoints also get messages of shipments that were imported as history")
	for _, text := range urls {
		endpoint, err := emitter.ParseEndpoint(text)
		if err == nil {
			err = endpoint.Validate()
		}
		if err != nil {
			e.Bad(envEndpoints, "%w", err)
			continue
		}
		settings.Name, settings.URL = endpoint.Name, endpoint.URL
		cfg.Emitter.Deliver.Endpoints = append(cfg.Emitter.Deliver.Endpoints, settings)
	}
	if len(urls) > 0 {
		return
	}
	// They do not apply to the endpoints of a file, and whoever set them must not believe so.
	for _, name := range []string{envSecrets, envSellers, envLocations, envChannels, envStart, envForgotten, envHistory} {
		if e.IsSet(name) {
			cfg.unused = append(cfg.unused, name)
		}
	}
}

// readFile reads the file of endpoints and channels, if there is one.
func readFile(e *setting.Reader, cfg *emitter.Config) {
	var path string
	e.Text(envSettings, &path, "JSON file of endpoints and channels with all their settings")
	if path == "" {
		return
	}
	settings, err := readSettings(path)
	if err == nil {
		// The session timeout concerns all endpoints, and has a variable of its own.
		err = errors.Join(emitter.DeliverConfig{Endpoints: settings.Endpoints}.Validate(), settings.Channels.Validate(),
			currencies(settings.Channels))
	}
	if err != nil {
		e.Bad(envSettings, "%s: %w", path, err)
		return
	}
	cfg.Deliver.Endpoints, cfg.Translate.Channels = settings.Endpoints, settings.Channels
}

// currencies returns what is wrong with the currencies of channels.
func currencies(of emitter.Channels) error {
	var problems []error
	check := func(channel, code string) {
		if code != "" && !currency.IsValid(code) {
			problems = append(problems, fmt.Errorf("%s: %q is no currency: want the three capital letters of ISO 4217, such as "+
				"INR", channel, code))
		}
	}
	check("default channel", of.Default.Currency)
	for _, seller := range slices.Sorted(maps.Keys(of.Sellers)) {
		check("channel of seller "+seller, of.Sellers[seller].Currency)
	}
	return errors.Join(problems...)
}

func readSettings(path string) (emitter.Settings, error) {
	file, err := os.Open(path)
	if err != nil {
		return emitter.Settings{}, err
	}
	defer file.Close()
	return emitter.ReadSettings(file)
}
