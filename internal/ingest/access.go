package ingest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/setting"
)

// access checks the tokens of sellers and operators, and bounds the rate of the sellers' items.
type access struct {
	sellers   *sellers.Live
	operators setting.Secret // Empty means none.
	perSecond rate.Limit     // Zero means no bound.
	burst     int

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // By seller; guarded by mu. Only listed sellers have tokens, so it is bounded.
}

// sellerHandler answers a call of a seller.
type sellerHandler func(ctx context.Context, c *httpx.Call, who *sellers.Seller) error

// bearerToken returns the bearer token of a request; empty for none.
func bearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// seller runs a handler for the seller whose token the request bears.
func (a *access) seller(h sellerHandler) httpx.Handler {
	return func(ctx context.Context, c *httpx.Call) error {
		token := bearerToken(c.Request)
		if token == "" {
			return httpx.Unauthorized.New("an Authorization header with a bearer token is needed")
		}
		known := a.sellers.Current()
		who := known.Authenticate(token)
		if who == nil {
			if known.NotificationToken(token) != nil {
				return httpx.Unauthorized.New("the token is one for notifications: a call needs the seller's own token")
			}
			return httpx.Unauthorized.New("the token is not valid: the sellers file has no such token for calls")
		}
		c.Note(slog.String("seller_id", who.ID))
		if err := a.admit(who, 1); err != nil {
			return err
		}
		return h(ctx, c, who)
	}
}

// operator runs a handler for a request that bears the operator's token. If there is none, open intake means that
// everybody who reaches this instance is trusted with numbers about it too; import --wait relies on that.
func (a *access) operator(h httpx.Handler) httpx.Handler {
	return func(ctx context.Context, c *httpx.Call) error {
		want := a.operators.Reveal()
		if want == "" && a.sellers.Current().Open() {
			return h(ctx, c)
		}
		got := sha256.Sum256([]byte(bearerToken(c.Request)))
		if expected := sha256.Sum256([]byte(want)); want == "" || subtle.ConstantTimeCompare(got[:], expected[:]) != 1 {
			return httpx.Unauthorized.New("the operator's token is needed (ORDERLEDGER_INGEST_OPERATOR_TOKEN of the service); " +
				"the admin address of the service serves this without one")
		}
		return h(ctx, c)
	}
}

// admit counts items of a seller. It returns a problem instead if the seller has sent too many.
func (a *access) admit(who *sellers.Seller, items int) error {
	if wait := a.reserve(who.ID, items, time.Now()); wait > 0 {
		return httpx.TooManyRequests.New("the seller's rate is used up").After(wait)
	}
	return nil
}

// admitItems counts the items of a call that has itself counted as one already. A call with more items than the burst
// takes the whole burst; with more than that it could never be made.
func (a *access) admitItems(who *sellers.Seller, items int) error {
	return a.admit(who, min(items, a.burst)-1)
}

// reserve counts items of a seller. It returns how long the seller must wait instead, zero if it need not.
func (a *access) reserve(sellerID string, items int, now time.Time) time.Duration {
	if a.perSecond <= 0 || items <= 0 {
		return 0
	}
	a.mu.Lock()
	limiter := a.limiters[sellerID]
	if limiter == nil {
		limiter = rate.NewLimiter(a.perSecond, a.burst)
		a.limiters[sellerID] = limiter
	}
	a.mu.Unlock()
	r := limiter.ReserveN(now, items)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait
	}
	return 0
}
