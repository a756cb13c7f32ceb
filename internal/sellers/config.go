package sellers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// Config lists the sellers.
type Config struct {
	// Sellers are those with a token, a secret or a policy of their own.
	Sellers []Seller
	// Default is the policy of every other seller.
	Default PolicyConfig
	// Strict refuses notifications for sellers that are not listed. Otherwise they are accepted, under Default.
	Strict bool
}

// Seller is one tenant.
type Seller struct {
	// ID is the marketplace's.
	ID string `json:"id"`
	// Token and Tokens are the bearer tokens of the seller's clients. A seller without any cannot call.
	Token  string   `json:"token,omitempty"`
	Tokens []string `json:"tokens,omitempty"`
	PolicyConfig
	// AppID and NotificationSecret check the signature of its notifications. An empty secret checks nothing.
	AppID              string `json:"appId,omitempty"`
	NotificationSecret string `json:"notificationSecret,omitempty"`
	// URL is the registered URL, query included, that the marketplace signs with each of its notifications. Empty means
	// the public URL of this service and the path of the request.
	URL string `json:"url,omitempty"`
	// Locations are the places it sends from.
	Locations []marketplace.Location `json:"locations,omitempty"`
	// GSTIN and Name are printed on its documents.
	GSTIN string `json:"gstin,omitempty"`
	Name  string `json:"name,omitempty"`
}

// Location returns the listed location with an id, or the zero value.
func (s *Seller) Location(id string) marketplace.Location {
	// Search from the end: if the file lists an id twice, the later one counts.
	for i := len(s.Locations) - 1; i >= 0; i-- {
		if s.Locations[i].ID == id {
			return s.Locations[i]
		}
	}
	return marketplace.Location{}
}

func (s *Seller) allTokens() []string {
	tokens := s.Tokens
	if s.Token != "" {
		tokens = append([]string{s.Token}, tokens...)
	}
	return tokens
}

// Unmarshal reads a sellers file: a JSON array of sellers. It refuses unknown members, because a misspelt one would
// silently grant or deny something.
func Unmarshal(data []byte) ([]Seller, error) {
	var list []Seller
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("sellers: %w", err)
	}
	return list, nil
}

// Validate returns all problems, joined. It names no token.
func (c Config) Validate() error {
	problems := []error{c.Default.validate("default")}
	ids, tokens := map[string]bool{}, map[string]string{}
	for i, s := range c.Sellers {
		switch {
		case s.ID == "":
			problems = append(problems, fmt.Errorf("seller %d: an id is needed", i))
		case ids[s.ID]:
			problems = append(problems, fmt.Errorf("seller %s: listed twice", s.ID))
		}
		ids[s.ID] = true
		for _, token := range s.allTokens() {
			if holder, taken := tokens[token]; taken && holder != s.ID {
				problems = append(problems, fmt.Errorf("seller %s: a token of seller %s", s.ID, holder))
			}
			tokens[token] = s.ID
		}
		problems = append(problems, s.validate(s.ID))
	}
	return errors.Join(problems...)
}
