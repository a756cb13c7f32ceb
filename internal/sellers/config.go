package sellers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/setting"
)

// Config lists the sellers.
type Config struct {
	// Sellers are those with a token, a secret or a policy of their own.
	Sellers []Seller
	// File begins the problems of Sellers: the variable or flag, and the file that they were read from. Empty means none.
	File string
	// Default is the policy of every other seller.
	Default PolicyConfig
	// Open accepts notifications without a credential, except for listed sellers that have one, and for sellers that are
	// not listed, under Default. It is for machines and networks on which everybody may report facts.
	Open bool
}

// Seller is one tenant.
type Seller struct {
	// ID is the marketplace's.
	ID string `json:"id"`
	// Token and Tokens are the bearer tokens of the seller's clients. A seller without any cannot call.
	Token  string   `json:"token,omitempty"`
	Tokens []string `json:"tokens,omitempty"`
	PolicyConfig
	// AppID and NotificationSecret check the signature of its notifications. Several sellers may have the same
	// application, with the same secret.
	AppID              string `json:"appId,omitempty"`
	NotificationSecret string `json:"notificationSecret,omitempty"`
	// NotificationToken and NotificationTokens are bearer tokens that prove a notification instead of a signature. Several
	// sellers may have the same one. They are no tokens of calls: otherwise a seller could forge the marketplace's facts.
	NotificationToken  string   `json:"notificationToken,omitempty"`
	NotificationTokens []string `json:"notificationTokens,omitempty"`
	// URL is the registered URL, query included, that the marketplace signs with each of its notifications. Empty means
	// the public URL of this service and the path of the request.
	URL string `json:"url,omitempty"`
	// Locations are the places it sends from.
	Locations []Location `json:"locations,omitempty"`
	// GSTIN and Name are printed on its documents.
	GSTIN string `json:"gstin,omitempty"`
	Name  string `json:"name,omitempty"`
}

// Location is a place that a seller sends from.
type Location struct {
	marketplace.Location
	// Fulfilment is that of the shipments of this place. Empty means the seller's.
	Fulfilment string `json:"fulfilment,omitempty"`
}

// Location returns the listed location with an id, or the zero value.
func (s *Seller) Location(id string) marketplace.Location {
	return s.location(id).Location
}

func (s *Seller) location(id string) Location {
	// Search from the end: if the file lists an id twice, the later one counts.
	for i := len(s.Locations) - 1; i >= 0; i-- {
		if s.Locations[i].ID == id {
			return s.Locations[i]
		}
	}
	return Location{}
}

func (s *Seller) allTokens() []string { return withFirst(s.Token, s.Tokens) }

func (s *Seller) allNotificationTokens() []string {
	return withFirst(s.NotificationToken, s.NotificationTokens)
}

func withFirst(first string, others []string) []string {
	if first == "" {
		return others
	}
	return append([]string{first}, others...)
}

// Unmarshal reads a sellers file: a JSON array of sellers. It refuses unknown members, because a misspelt one would
// silently grant or deny something.
func Unmarshal(data []byte) ([]Seller, error) {
	var list []Seller
	return list, setting.Unmarshal(data, &list)
}

// minNotificationToken is the size of a token that nobody can guess, although the ledger shows the start of its digest.
const minNotificationToken = 16

// maxCredential bounds the ids of one credential's sellers, with commas between them. They go with each notification
// that names no seller, and the journal reads so much of them. A credential for more is refused at start: the
// marketplace blocks everything behind a notification that it can't deliver.
const maxCredential = 64 << 10

// Validate returns all problems, joined. It names no token.
func (c Config) Validate() error {
	problems := c.validateSellers()
	if c.File != "" {
		for i := range problems {
			problems[i] = fmt.Errorf("%s: %w", c.File, problems[i])
		}
	}
	return errors.Join(append(problems, c.Default.validate("default"))...)
}

func (c Config) validateSellers() (problems []error) {
	ids, tokens := map[string]bool{}, map[string]string{}
	for i := range c.Sellers {
		s := &c.Sellers[i]
		switch {
		case s.ID == "":
			problems = append(problems, fmt.Errorf("entry %d of the sellers file: an id is needed", i+1))
		case strings.Contains(s.ID, ","):
			problems = append(problems, fmt.Errorf("seller %s: an id has no comma", s.ID))
		case ids[s.ID]:
			problems = append(problems, fmt.Errorf("seller %s: listed twice: make one entry of the two", s.ID))
		}
		ids[s.ID] = true
		for _, token := range s.allTokens() {
			if holder, taken := tokens[token]; taken && holder != s.ID {
				problems = append(problems, fmt.Errorf("seller %s: has a token of seller %s: give each its own", s.ID, holder))
			}
			tokens[token] = s.ID
		}
		if err := s.validate(s.ID); err != nil {
			problems = append(problems, err)
		}
		for _, at := range s.Locations {
			if err := CheckFulfilment(at.Fulfilment); err != nil {
				problems = append(problems, fmt.Errorf("seller %s: location %s: %w", s.ID, at.ID, err))
			}
		}
	}
	return append(problems, c.validateCredentials(tokens)...)
}

// validateCredentials checks what proves notifications. holders are the sellers of the tokens of calls.
func (c Config) validateCredentials(holders map[string]string) (problems []error) {
	apps := map[string]*Seller{}
	for i := range c.Sellers {
		s := &c.Sellers[i]
		bad := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("seller %s: "+format, append([]any{s.ID}, args...)...))
		}
		if (s.AppID == "") != (s.NotificationSecret == "") {
			bad("appId and notificationSecret: want both or neither")
		}
		if first := apps[s.AppID]; first == nil {
			apps[s.AppID] = s
		} else if s.AppID != "" && first.NotificationSecret != s.NotificationSecret {
			bad("the application %s has another notificationSecret at seller %s", s.AppID, first.ID)
		}
		for _, token := range s.allNotificationTokens() {
			if len(token) < minNotificationToken {
				bad("a notification token has %d bytes: want %d or more, such as those of `openssl rand -hex 32`",
					len(token), minNotificationToken)
			}
			if holder, taken := holders[token]; taken {
				bad("a notification token is a token for the calls of seller %s: want different ones", holder)
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	for _, credential := range New(c).credentials() {
		if size := len(strings.Join(credential.ids, ",")); size > maxCredential {
			problems = append(problems, fmt.Errorf("credential %s: the ids of its %d sellers have %d bytes: want %d or fewer, "+
				"so split it into several", credential.Name, len(credential.ids), size, maxCredential))
		}
	}
	return problems
}
