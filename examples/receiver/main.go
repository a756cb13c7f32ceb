// Command receiver is a small external fulfilment system: it takes SUBORDER messages, verifies their signatures, tells
// repeats from news, checks the order of each suborder and prints what it gets. It is an example to copy from, and uses
// nothing of orderledger itself.
//
//	receiver -listen 127.0.0.1:8090 -secret whsec_...
//	curl http://127.0.0.1:8090/stats
//
// What a receiver has to do: verify the signature over the bytes as they came, answer 2xx only when the message is
// stored, ignore a messageId it has stored already, and answer within the endpoint's timeout. It keeps what it
// knows in memory; a real one keeps it where it keeps the orders, in the same transaction.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		stop()
		os.Exit(1) //nolint:gocritic // Stopped by hand above.
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	flags.SetOutput(out)
	listen := flags.String("listen", "127.0.0.1:8090", "address to listen on")
	secret := flags.String("secret", "", "the endpoint's secret, whsec_...; empty accepts unsigned messages")
	quiet := flags.Bool("quiet", false, "do not print messages")
	if err := flags.Parse(args); err != nil {
		return err
	}
	printer := out
	if *quiet {
		printer = io.Discard
	}
	in, err := newInbox(*secret, printer)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /suborders", in.receive)
	mux.HandleFunc("GET /stats", in.stats)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s/suborders\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// The context has ended; requests in hand get a moment to be answered.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
