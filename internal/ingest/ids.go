package ingest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// idList is a list of ids from a path or a query.
//
// The official client escapes the commas between ids, so %2C separates them. But an id may contain a comma too. So
// where a list has a comma that is not escaped, only such commas separate, and %2C belongs to an id. A list without one
// may also be a single id: the ledger looks for that, too.
type idList struct {
	ids []string
	// wholes are texts that may be one id, beside the ids that their commas make of them.
	wholes []string
}

// parse adds the ids of an escaped text.
func (l *idList) parse(escaped string, unescape func(string) (string, error)) error {
	if strings.Contains(escaped, ",") {
		for part := range strings.SplitSeq(escaped, ",") {
			id, err := unescape(part)
			if err != nil {
				return httpx.Unprocessable.New("a list of ids with an invalid escape")
			}
			l.add(strings.TrimSpace(id))
		}
		return nil
	}
	text, err := unescape(escaped)
	if err != nil {
		return httpx.Unprocessable.New("a list of ids with an invalid escape")
	}
	for _, id := range marketplace.SplitIDs(text) {
		l.add(id)
	}
	if strings.Contains(text, ",") {
		l.wholes = append(l.wholes, text)
	}
	return nil
}

func (l *idList) add(id string) {
	if id != "" && !slices.Contains(l.ids, id) {
		l.ids = append(l.ids, id)
	}
}

// check refuses an empty list, and one with too many ids.
func (l *idList) check(most int) error {
	switch {
	case len(l.ids) == 0 && len(l.wholes) == 0:
		return httpx.Unprocessable.New("no id is named: want one or more, with commas between them")
	case len(l.ids) > most:
		return httpx.Unprocessable.New(
			strconv.Itoa(len(l.ids)) + " ids, at most " + strconv.Itoa(most) + " are taken")
	}
	return nil
}

// all returns everything that may be an id.
func (l *idList) all() []string { return append(slices.Clone(l.ids), l.wholes...) }

// named returns the ids that the caller means, after all of them were looked up: if a text turned out to be one id, its
// parts are none unless they exist too.
func (l *idList) named(found []*ledgerv1.Shipment) []string {
	exists := func(id string) bool {
		return slices.ContainsFunc(found, func(s *ledgerv1.Shipment) bool { return s.GetShipmentId() == id })
	}
	ids := l.ids
	for _, whole := range l.wholes {
		if !exists(whole) {
			continue
		}
		parts := marketplace.SplitIDs(whole)
		ids = append(slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			return slices.Contains(parts, id) && !exists(id)
		}), whole)
	}
	return ids
}

// idsInPath returns the ids of /sellers/v3/shipments/{ids}. It reads the path as it was sent: in the decoded one, the
// commas inside of ids look like those between them.
func idsInPath(r *http.Request, most int) (idList, error) {
	var l idList
	escaped := ""
	if segments := strings.Split(r.URL.EscapedPath(), "/"); len(segments) > 4 {
		escaped = segments[4]
	}
	if err := l.parse(escaped, url.PathUnescape); err != nil {
		return l, err
	}
	return l, l.check(most)
}

// idsInQuery returns the ids of a parameter, which may be repeated.
func idsInQuery(r *http.Request, name string, most int) (idList, error) {
	var l idList
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if err := l.parse(value, url.QueryUnescape); err != nil {
			return l, err
		}
	}
	return l, l.check(most)
}
