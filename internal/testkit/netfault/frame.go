package netfault

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A request is size, key, version, correlation id, client id, tags if it is flexible, and body. A reply is size,
// correlation id, tags if it is flexible, and body.
const (
	requestHead = 12
	replyHead   = 8
)

// maxFrame is larger than any frame of a broker.
const maxFrame = 128 << 20

// ReadFrame returns the bytes of a Kafka request or reply, including the four bytes of its size: eight at least.
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

// Sized writes the size of a frame into its first four bytes and returns the frame.
func Sized(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// KeyOf returns the kind of a request, or -1 when the bytes are too few.
func KeyOf(request []byte) kmsg.Key {
	if len(request) < 6 {
		return -1
	}
	return kmsg.Key(int16(binary.BigEndian.Uint16(request[4:])))
}

// VersionOf returns the version of a whole request.
func VersionOf(request []byte) int16 { return int16(binary.BigEndian.Uint16(request[6:])) }

// RequestID returns the correlation id of a whole request, which its reply repeats.
func RequestID(request []byte) uint32 { return binary.BigEndian.Uint32(request[8:]) }

// ReplyID returns the correlation id of the request that a reply answers.
func ReplyID(reply []byte) uint32 { return binary.BigEndian.Uint32(reply[4:]) }

// IsKind returns a function that reports whether a request is of this kind.
func IsKind(key kmsg.Key) func(request []byte) bool {
	return func(request []byte) bool { return KeyOf(request) == key }
}

// DecodeReply reads the reply to a request of this kind and version. It does not read replies to ApiVersions, whose
// header is never flexible.
func DecodeReply(reply []byte, key kmsg.Key, version int16) (kmsg.Response, error) {
	resp := kmsg.ResponseForKey(int16(key))
	if resp == nil {
		return nil, fmt.Errorf("no reply has the key %d", key)
	}
	resp.SetVersion(version)
	body := kbin.Reader{Src: reply[replyHead:]}
	if resp.IsFlexible() {
		kmsg.SkipTags(&body)
	}
	if err := resp.ReadFrom(body.Src); err != nil {
		return nil, fmt.Errorf("read a reply to %s v%d: %w", key.Name(), version, err)
	}
	return resp, nil
}

// EncodeReply returns the frame of a reply under the head of another one.
func EncodeReply(resp kmsg.Response, reply []byte) []byte {
	frame := append(make([]byte, 0, len(reply)+64), reply[:replyHead]...)
	if resp.IsFlexible() {
		frame = append(frame, 0) // No tags.
	}
	return Sized(resp.AppendTo(frame))
}

// FrameConn calls its hooks with each whole Kafka frame that passes: Request before the bytes that end the request are
// sent, Reply before the client sees any byte of the reply. A hook may block. If it fails, the client gets
// its error in place of the frame. A nil hook lets everything pass.
type FrameConn struct {
	net.Conn
	Request, Reply func(frame []byte) error

	out []byte // Written bytes that are not a whole request yet.
	in  []byte // Bytes of a whole reply that are not read yet.
}

// Write implements net.Conn.
func (c *FrameConn) Write(b []byte) (int, error) {
	c.out = append(c.out, b...)
	for len(c.out) >= requestHead {
		size := 4 + int(binary.BigEndian.Uint32(c.out))
		if len(c.out) < size {
			break
		}
		if c.Request != nil {
			if err := c.Request(c.out[:size]); err != nil {
				return 0, err
			}
		}
		c.out = c.out[size:]
	}
	return c.Conn.Write(b)
}

// Read implements net.Conn.
func (c *FrameConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		frame, err := ReadFrame(c.Conn)
		if err != nil {
			return 0, err
		}
		if c.Reply != nil {
			if err := c.Reply(frame); err != nil {
				return 0, err
			}
		}
		c.in = frame
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}
