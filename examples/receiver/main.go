// Command receiver is a small external fulfilment system. It receives SUBORDER messages, verifies their signatures,
// recognises repeats, checks the order of each suborder and prints the messages. It is an example to copy from, and it
// does not import any package of orderledger.
//
//	receiver -listen 127.0.0.1:8090 -secret whsec_...
//	curl http://127.0.0.1:8090/stats
//
// A receiver must verify the signature over the received bytes, answer 2xx only after the message is stored, ignore a
// messageId that it has already stored, and answer within the timeout of the endpoint. This one stores the ids in
// memory. A real one stores them with its orders, in the same transaction.
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
		os.Exit(1) //nolint:gocritic // stop was called above.
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
		// ctx has ended, but running requests still get five seconds.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
