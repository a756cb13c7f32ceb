package emitter

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadSettings(t *testing.T) {
	t.Parallel()
	got, err := ReadSettings(strings.NewReader(`{
		"endpoints": [{
			"name": "wms", "url": "https://wms.example/hook", "secrets": ["whsec_1"], "headers": {"X-Key": "k"},
			"sellers": ["s1", "s2"], "locations": ["*"], "channels": ["flipkart"], "start": "2026-01-02T03:04:05Z", "history": true, "forgotten": "repeat", "body_rule": "ignored",
			"event_types": {"SUBORDER_COMPLETE": false}, "complete_stage": "delivered", "timeout": "10s", "max_in_flight": 8,
			"retry_schedule": ["1s", "1m"], "retry_slow": "2m", "retry_after_max": "3m"
		}],
		"channels": {
			"default": {"country": "INDIA", "required_within": "36h"},
			"sellers": {"s1": {
				"name": "flipkart", "location_id": "L1", "currency": "INR", "country": "INDIA", "required_within": "24h",
				"sku_field": "listingId", "price_basis": "unit", "merge_items": true,
				"skus": {"A": {"client": "C", "channel": "CH", "barcode": "B"}}
			}}
		}
	}`))
	require.NoError(t, err)
	require.Equal(t, Settings{
		Endpoints: []Endpoint{{
			Name: "wms", URL: "https://wms.example/hook", Secrets: []string{"whsec_1"}, Headers: map[string]string{"X-Key": "k"},
			Scope: Scope{Sellers: []string{"s1", "s2"}, Locations: []string{All}, Channels: []string{"flipkart"}}, Start: "2026-01-02T03:04:05Z", History: true, Forgotten: ForgottenRepeat, BodyRule: BodyIgnored,
			EventTypes: map[string]bool{SuborderComplete: false}, CompleteStage: StageDelivered, Timeout: 10 * time.Second,
			MaxInFlight: 8, RetrySchedule: []time.Duration{time.Second, time.Minute}, RetrySlow: 2 * time.Minute,
			RetryAfterMax: 3 * time.Minute,
		}},
		Channels: Channels{
			Default: Channel{Country: "INDIA", RequiredWithin: 36 * time.Hour},
			Sellers: map[string]Channel{"s1": {
				Name: "flipkart", LocationID: "L1", Currency: "INR", Country: "INDIA", RequiredWithin: 24 * time.Hour,
				SKUField: SKUFieldListingID, PriceBasis: PricePerUnit, MergeItems: true,
				SKUs: map[string]SKU{"A": {Client: "C", Channel: "CH", Barcode: "B"}},
			}},
		},
	}, got)
	require.NoError(t, got.Channels.Validate())
}

func TestReadSettingsErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                    "the file is empty",
		`{"endpoint": []}`:                    `line 1, column 2: unknown member "endpoint"; is it "endpoints"?`,
		`{"endpoints": [{"timeout": 5}]}`:     `duration 5: want a string such as "30s"`,
		`{"endpoints": [{"timeout": "5"}]}`:   `duration "5": want a number with a unit, such as "30s"`,
		`{"endpoints": [{"seller": ["s1"]}]}`: `unknown member "seller"; is it "sellers"?`,
		`{"endpoints": [{"sellers": "s1"}]}`:  "line 1, column 28: endpoints.sellers: want a list, got a text",
		`[]`:                                  "line 1, column 1: want an object, got a list",
		`{} {}`:                               "it holds one JSON value",
	} {
		_, err := ReadSettings(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}
