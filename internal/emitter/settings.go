package emitter

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// Settings are the contents of a settings file: the endpoints, and the settings of the sellers' channels.
type Settings struct {
	Endpoints []Endpoint
	Channels  Channels
}

// ReadSettings reads a settings file: one JSON object with "endpoints" and "channels", whose keys are in snake_case and
// whose durations are strings such as "30s". An unknown key is an error, because a misspelt setting would otherwise
// silently keep its default. It does not validate the values; Config.Validate does.
func ReadSettings(from io.Reader) (Settings, error) {
	var file struct {
		Endpoints []endpointFile `json:"endpoints"`
		Channels  struct {
			Default channelFile            `json:"default"`
			Sellers map[string]channelFile `json:"sellers"`
		} `json:"channels"`
	}
	data, err := io.ReadAll(from)
	if err == nil {
		err = setting.Unmarshal(data, &file)
	}
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Channels: Channels{Default: file.Channels.Default.channel(), Sellers: map[string]Channel{}}}
	for _, e := range file.Endpoints {
		s.Endpoints = append(s.Endpoints, e.endpoint())
	}
	for seller, c := range file.Channels.Sellers {
		s.Channels.Sellers[seller] = c.channel()
	}
	return s, nil
}

type endpointFile struct {
	Name          string            `json:"name"`
	URL           string            `json:"url"`
	Secrets       []string          `json:"secrets"`
	Headers       map[string]string `json:"headers"`
	Sellers       []string          `json:"sellers"`
	Locations     []string          `json:"locations"`
	Channels      []string          `json:"channels"`
	Start         string            `json:"start"`
	Forgotten     string            `json:"forgotten"`
	History       bool              `json:"history"`
	EventTypes    map[string]bool   `json:"event_types"`
	CompleteStage string            `json:"complete_stage"`
	BodyRule      string            `json:"body_rule"`
	Timeout       duration          `json:"timeout"`
	MaxInFlight   int               `json:"max_in_flight"`
	RetrySchedule []duration        `json:"retry_schedule"`
	RetrySlow     duration          `json:"retry_slow"`
	RetryAfterMax duration          `json:"retry_after_max"`
}

func (e endpointFile) endpoint() Endpoint {
	out := Endpoint{
		Name: e.Name, URL: e.URL, Secrets: e.Secrets, Headers: e.Headers, EventTypes: e.EventTypes,
		Scope: Scope{Sellers: e.Sellers, Locations: e.Locations, Channels: e.Channels},
		Start: e.Start, Forgotten: e.Forgotten, History: e.History,
		CompleteStage: e.CompleteStage, BodyRule: e.BodyRule, Timeout: time.Duration(e.Timeout), MaxInFlight: e.MaxInFlight,
		RetrySlow: time.Duration(e.RetrySlow), RetryAfterMax: time.Duration(e.RetryAfterMax),
	}
	for _, wait := range e.RetrySchedule {
		out.RetrySchedule = append(out.RetrySchedule, time.Duration(wait))
	}
	return out
}

type channelFile struct {
	Name           string             `json:"name"`
	LocationID     string             `json:"location_id"`
	Currency       string             `json:"currency"`
	Country        string             `json:"country"`
	RequiredWithin duration           `json:"required_within"`
	SKUField       SKUField           `json:"sku_field"`
	PriceBasis     PriceBasis         `json:"price_basis"`
	MergeItems     bool               `json:"merge_items"`
	SKUs           map[string]skuFile `json:"skus"`
}

type skuFile struct {
	Client  string `json:"client"`
	Channel string `json:"channel"`
	Barcode string `json:"barcode"`
}

func (c channelFile) channel() Channel {
	out := Channel{
		Name: c.Name, LocationID: c.LocationID, Currency: c.Currency, Country: c.Country,
		RequiredWithin: time.Duration(c.RequiredWithin), SKUField: c.SKUField, PriceBasis: c.PriceBasis,
		MergeItems: c.MergeItems,
	}
	if len(c.SKUs) > 0 {
		out.SKUs = make(map[string]SKU, len(c.SKUs))
	}
	for code, sku := range c.SKUs {
		out.SKUs[code] = SKU(sku)
	}
	return out
}

// duration is a time.Duration that JSON writes as a string.
type duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *duration) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("duration %s: want a string such as \"30s\"", raw)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, such as \"30s\"", text)
	}
	*d = duration(parsed)
	return nil
}
