package emitter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// All stands for every seller, location or channel. It is the only name of its list.
const All = "*"

// Scope says which messages an endpoint may see. Messages hold names and addresses of customers, so an endpoint sees
// only what its scope names: a message needs its seller, location and channel in the three lists. An empty list names
// nothing. A message without a location or channel is only in a scope with All for it.
type Scope struct {
	// Sellers are ids of sellers.
	Sellers []string
	// Locations are locationCodes.
	Locations []string
	// Channels are channelNames.
	Channels []string
}

// Everything returns the scope of an endpoint that may see every message.
func Everything() Scope {
	return Scope{Sellers: []string{All}, Locations: []string{All}, Channels: []string{All}}
}

// Missing returns the names of the lists that are empty. If there are any, the endpoint gets nothing.
func (s *Scope) Missing() []string {
	var missing []string
	for _, list := range s.lists() {
		if len(list.names) == 0 {
			missing = append(missing, list.title)
		}
	}
	return missing
}

func (s *Scope) includes(m *outbound) bool {
	return names(s.Sellers, m.seller) && names(s.Locations, m.location) && names(s.Channels, m.channel)
}

func names(list []string, name string) bool {
	return slices.Contains(list, All) || name != "" && slices.Contains(list, name)
}

func (s *Scope) validate() error {
	var problems []error
	for _, list := range s.lists() {
		for _, name := range list.names {
			switch {
			case name == All && len(list.names) > 1:
				problems = append(problems, fmt.Errorf("%s has %q beside other names", list.title, All))
			case name != All && strings.Contains(name, All):
				// Comparing it literally would match nothing, which whoever wrote it did not mean.
				problems = append(problems,
					fmt.Errorf("%s has %q: there are no patterns, only names and %q", list.title, name, All))
			case strings.TrimSpace(name) != name || name == "":
				problems = append(problems, fmt.Errorf("%s has %q, with blanks or empty", list.title, name))
			}
		}
	}
	return errors.Join(problems...)
}

type scopeList struct {
	title string // As in the endpoints file.
	names []string
}

func (s *Scope) lists() []scopeList {
	return []scopeList{{"sellers", s.Sellers}, {"locations", s.Locations}, {"channels", s.Channels}}
}
