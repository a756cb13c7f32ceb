package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/service"
)

// What is served to other instances, on a listener of its own.
const (
	pathCommands = "/peer/v1/commands"
	pathLanes    = "/peer/v1/lanes/"
	pathRelease  = "/release"
)

// peerRoutes is the table of what other instances may ask.
func (g *Ingest) peerRoutes() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, limit int64, h peerHandler) {
		mux.Handle(pattern, g.handle(pattern, g.asPeer(limit, h)))
	}
	on("POST "+pathCommands, g.cfg.MaxBodyBytes+maxForwardHead+4, g.peerCommands)
	on("POST "+pathLanes+"{lane}"+pathRelease, 0, g.peerRelease)
	return mux
}

// peerHandler answers a request whose signature was checked.
type peerHandler func(ctx context.Context, c *call, body []byte) error

// asPeer lets a handler run for a request that another instance has signed.
func (g *Ingest) asPeer(limit int64, h peerHandler) handler {
	return func(ctx context.Context, c *call) error {
		refuse := func(err error) error {
			g.metrics.peerRefused.WithLabelValues(peerRefusal(err)).Inc()
			return newProblem(problemPeer, err.Error()).because(err)
		}
		// Looked at before the body, so that strangers do not make us read.
		if err := g.peerKeys.fresh(c.r.Header, g.now()); err != nil {
			return refuse(err)
		}
		body, err := c.body(limit)
		if err != nil {
			return err
		}
		if err := g.peerKeys.check(c.r.Header, c.r.Method, c.r.URL.Path, body); err != nil {
			return refuse(err)
		}
		return h(ctx, c, body)
	}
}

// peerCommands decides commands whose lanes are here. It never hands them on: the router that asked knows what else
// there is to try, and two instances that each take the other for the owner would send them round for ever.
func (g *Ingest) peerCommands(ctx context.Context, c *call, body []byte) error {
	f, err := decodeForward(body)
	if err != nil {
		return newProblem(problemUnreadable, err.Error()).because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, min(f.timeout(), g.cfg.CommandTimeout))
	defer cancel()
	c.correlationID = printable(f.CorrelationID)
	c.note(slog.String("action", f.Action), slog.Int("items", len(f.Commands)))
	text, err := json.Marshal(g.decideForwarded(ctx, f))
	if err != nil {
		return fmt.Errorf("answer peer: %w", err)
	}
	c.json(http.StatusOK, text)
	return nil
}

func (g *Ingest) decideForwarded(ctx context.Context, f *forward) []forwardedResult {
	out := make([]forwardedResult, len(f.Commands))
	read, unreadable := marketplace.ReadCall(f.Action, f.PathID, f.body, g.cfg.Marketplace)
	var commands []journal.Command
	var at []int
	for i, one := range f.Commands {
		command, err := journal.Command{}, unreadable
		if err == nil {
			command, err = f.named(one, read)
		}
		if err != nil {
			out[i] = forwardedResult{Error: reasonVersions, Detail: err.Error()}
			continue
		}
		commands, at = append(commands, command), append(at, i)
	}
	for n, r := range g.journal.SubmitAll(ctx, commands) {
		out[at[n]] = resultToForward(r)
	}
	return out
}

// peerRelease lets go of a lane that the asking instance is about to take over.
func (g *Ingest) peerRelease(ctx context.Context, c *call, _ []byte) error {
	lane, err := strconv.ParseInt(c.r.PathValue("lane"), 10, 32)
	if err != nil || lane < 0 || int(lane) >= g.cfg.Lanes {
		return newProblem(problemNotFound, "there is no lane "+c.r.PathValue("lane"))
	}
	c.note(slog.Int("lane", int(lane)))
	if err := g.journal.Release(ctx, int32(lane)); err != nil {
		return newProblem(problemUnavailable, "the lane is not released").because(err)
	}
	c.status = http.StatusNoContent
	c.w.WriteHeader(c.status)
	return nil
}

// servePeers listens for other instances until ctx ends.
func (g *Ingest) servePeers(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", g.cfg.Peers.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	g.log.InfoContext(ctx, "peers listening", slog.String("addr", ln.Addr().String()))
	return service.Serve(ctx, &http.Server{
		Handler:           g.peers,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      g.cfg.CommandTimeout + 20*time.Second,
		// Above the client's, so that it is the client that ends a connection and never sends into one that is ending.
		IdleTimeout:    2 * peerIdle,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}, ln)
}

// errHanding is what readiness says while lanes are given to other instances.
var errHanding = errors.New("handing over: other instances are taking the lanes")

// handOver waits for the end and then gives the lanes to other instances, while everything is still served: calls that
// come meanwhile go to the new owners. It is the last unit to start, so the first to stop.
func (g *Ingest) handOver(ctx context.Context) error {
	<-ctx.Done()
	g.handing.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.Peers.HandOverTimeout)
	defer cancel()
	if err := g.journal.HandOver(ctx); err != nil {
		g.log.WarnContext(ctx, "lanes not handed over: they move when the group misses this instance", slog.Any("err", err))
	}
	return nil // What was not handed over is taken over: later, and just as well.
}
