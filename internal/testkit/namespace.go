package testkit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// namespace makes one part of a shared Kafka look like a Kafka of its own. The names of the ledger's topics, groups and
// transactional ids are fixed, so two tests could not use one broker at a time. A namespace is a proxy that puts a
// prefix before each name on the way to the broker and removes it on the way back. Clients do not notice it: to them it
// is a broker, under an address of its own.
//
// Names inside the bytes that members of a group exchange stay as they are: only members read them.
type namespace struct {
	*netfault.BrokerProxy
	prefix string
}

// newNamespace opens a namespace on these brokers and returns its addresses. When the test ends its topics are deleted.
func newNamespace(t testing.TB, brokers []string) []string {
	t.Helper()
	var id [4]byte
	_, err := rand.Read(id[:])
	require.NoError(t, err)
	n := &namespace{prefix: "t" + hex.EncodeToString(id[:]) + "-"}
	n.BrokerProxy = netfault.NewBrokerProxy(n.hooks)
	addrs, err := n.Addrs(brokers)
	require.NoError(t, err)
	t.Cleanup(func() {
		n.deleteTopics(t, addrs)
		n.Close()
	})
	return addrs
}

// deleteTopics does not wait until the broker is done: nobody uses these names again.
func (n *namespace) deleteTopics(t testing.TB, addrs []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	require.NoError(t, err)
	defer client.Close()
	adm := kadm.NewClient(client)
	topics, err := adm.ListTopics(ctx)
	if err == nil && len(topics) > 0 {
		_, err = adm.DeleteTopics(ctx, topics.Names()...)
	}
	if err != nil {
		t.Logf("testkit: topics %s* were not deleted: %v", n.prefix, err)
	}
}

// hooks rewrites the frames of one connection. A frame that can't be read breaks it, and the test fails with what its
// client then sees.
func (n *namespace) hooks() netfault.Hooks {
	var open sync.Map // Correlation id to the request that waits for its reply.
	return netfault.Hooks{
		Request: func(frame []byte) ([]byte, error) {
			request, frame, err := n.request(frame)
			if err == nil {
				open.Store(netfault.RequestID(frame), request)
			}
			return frame, err
		},
		Reply: func(frame []byte) ([]byte, error) {
			request, known := open.LoadAndDelete(netfault.ReplyID(frame))
			if !known {
				return nil, errors.New("a reply to no request")
			}
			return n.reply(frame, request.(kmsg.Request))
		},
	}
}

// request rewrites a request: size, key, version, correlation id, client id, tags if it is flexible, body.
func (n *namespace) request(frame []byte) (kmsg.Request, []byte, error) {
	if len(frame) < 14 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	key := netfault.KeyOf(frame)
	request := kmsg.RequestForKey(int16(key))
	if request == nil {
		return nil, nil, fmt.Errorf("no request has the key %d", key)
	}
	request.SetVersion(netfault.VersionOf(frame))
	if key == kmsg.ApiVersions {
		return request, frame, nil // It has no names.
	}
	body := 14 + max(0, int(int16(binary.BigEndian.Uint16(frame[12:]))))
	if request.IsFlexible() {
		body++
	}
	if len(frame) < body || request.IsFlexible() && frame[body-1] != 0 {
		return nil, nil, fmt.Errorf("the header of a %s", key.Name())
	}
	if err := request.ReadFrom(frame[body:]); err != nil {
		return nil, nil, fmt.Errorf("read a %s: %w", key.Name(), err)
	}
	n.addPrefix(request)
	return request, netfault.Sized(request.AppendTo(frame[:body:body])), nil
}

// reply rewrites the reply to a request.
func (n *namespace) reply(frame []byte, request kmsg.Request) ([]byte, error) {
	key := kmsg.Key(request.Key())
	if key == kmsg.ApiVersions {
		return frame, nil
	}
	response, err := netfault.DecodeReply(frame, key, request.GetVersion())
	if err != nil {
		return nil, err
	}
	if err := n.removePrefix(response); err != nil {
		return nil, err
	}
	return netfault.EncodeReply(response, frame), nil
}
