package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"time"
)

// silentAfter is how long a request waits for its answer before somebody hears of it. Ingest answers in milliseconds.
const silentAfter = 3 * time.Second

// watch makes a request. While it has no answer, it calls silent every silentAfter, which may be nil. If the server has
// never answered a request and turns out to be a Kafka broker, the request ends with that fault: a broker takes the
// first bytes of HTTP for the size of a request of 1.3 GB, and waits for the rest or hangs up.
func watch(
	ctx context.Context, target string, answered func() bool, silent func(time.Duration),
	request func(context.Context) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching, stop := context.WithCancel(ctx)
	started, watched := time.Now(), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(silentAfter)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-watching.Done():
				return
			}
			if silent != nil {
				silent(time.Since(started).Round(time.Second))
			}
			if !answered() && isKafka(watching, target) {
				cancel(kafkaFault(target))
			}
		}
	}()
	err := request(ctx)
	stop()
	<-watched // silent is not called after the end.
	var fault *FaultError
	var connection *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &fault):
		return fault
	case ctx.Err() != nil, answered(), errors.As(err, &connection) && connection.Op == "dial":
		return err
	case isKafka(ctx, target):
		return kafkaFault(target)
	}
	return err
}

func kafkaFault(target string) *FaultError {
	return &FaultError{
		URL: target, Says: "the server is a Kafka broker", Remedy: "give the URL of ingest, such as http://127.0.0.1:8080",
	}
}

// isKafka asks a server for its versions in Kafka's protocol. Every broker answers that, also before authentication,
// and no other server answers with the same correlation id.
func isKafka(ctx context.Context, target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Port() == "" {
		return false // Kafka has none of the default ports of HTTP.
	}
	ctx, cancel := context.WithTimeout(ctx, silentAfter)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // It ends the calls below.
	const apiVersions, correlation = 18, 0x6f6c6564
	request := binary.BigEndian.AppendUint32(nil, 10) // The size of what follows.
	request = binary.BigEndian.AppendUint16(request, apiVersions)
	request = binary.BigEndian.AppendUint16(request, 0)
	request = binary.BigEndian.AppendUint32(request, correlation)
	request = append(request, 0xff, 0xff) // No client id.
	if _, err := conn.Write(request); err != nil {
		return false
	}
	answer := make([]byte, 8)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return false
	}
	return bytes.Equal(answer[4:], request[8:12])
}
