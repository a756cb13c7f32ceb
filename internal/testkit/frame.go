package testkit

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"reflect"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxFrame is more than any broker takes or gives at once.
const maxFrame = 128 << 20

// ReadFrame returns the bytes of a Kafka request or reply, with the four of its size before them: eight at least.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := make([]byte, 4+size)
	copy(frame, head[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// Readdress puts a door in the place of every broker that a reply names, so that clients are led there.
func Readdress(reply kmsg.Response, door func(broker string) (string, error)) error {
	var failed error
	eachStruct(reflect.ValueOf(reply), func(s reflect.Value) {
		host, port := s.FieldByName("Host"), s.FieldByName("Port")
		if failed != nil || !host.IsValid() || !port.IsValid() || host.String() == "" || port.Int() <= 0 {
			return
		}
		addr, err := door(net.JoinHostPort(host.String(), strconv.FormatInt(port.Int(), 10)))
		if err != nil {
			failed = err
			return
		}
		h, text, err := net.SplitHostPort(addr)
		if err != nil {
			failed = err
			return
		}
		p, err := strconv.ParseInt(text, 10, 32)
		failed = err
		host.SetString(h)
		port.SetInt(p)
	})
	return failed
}

// eachStruct visits a message and every part of it.
func eachStruct(v reflect.Value, visit func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachStruct(v.Elem(), visit)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer {
			for i := range v.Len() {
				eachStruct(v.Index(i), visit)
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			return
		}
		visit(v)
		for i := range v.NumField() {
			eachStruct(v.Field(i), visit)
		}
	default:
	}
}
