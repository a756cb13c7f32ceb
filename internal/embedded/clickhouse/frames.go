package clickhouse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/ClickHouse/ch-go/compress"
)

// frameReader reads the content of ClickHouse's compressed frames, to the end of the input. ch-go's reader alone can't
// distinguish an input that ends between two frames from a truncated one.
type frameReader struct {
	br   *bufio.Reader
	c    *compress.Reader
	left int // bytes of the current frame
}

func newFrameReader(r io.Reader) *frameReader {
	br := bufio.NewReader(r)
	return &frameReader{br: br, c: compress.NewReader(br)}
}

// A frame begins with a checksum, the method, and the compressed and uncompressed sizes.
const (
	frameHeader  = 16 + 1 + 4 + 4
	frameContent = 16 + 1 + 4 // offset of the uncompressed size
)

// Read reads the content of the frames.
func (f *frameReader) Read(p []byte) (int, error) {
	for f.left == 0 {
		head, err := f.br.Peek(frameHeader)
		switch {
		case len(head) == 0 && errors.Is(err, io.EOF):
			return 0, io.EOF
		case err != nil:
			return 0, cut(err)
		}
		if f.left = int(binary.LittleEndian.Uint32(head[frameContent:])); f.left == 0 {
			if _, err := f.br.Discard(frameHeader); err != nil {
				return 0, cut(err)
			}
		}
	}
	n, err := f.c.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, cut(err)
}

// frameWriter writes compressed frames.
type frameWriter struct {
	w   io.Writer
	c   *compress.Writer
	buf []byte
}

func newFrameWriter(w io.Writer) *frameWriter {
	return &frameWriter{w: w, c: compress.NewWriter(compress.LevelZero, compress.LZ4)}
}

// Write buffers bytes and writes full frames.
func (f *frameWriter) Write(b []byte) (int, error) {
	f.buf = append(f.buf, b...)
	if len(f.buf) >= frameSize {
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (f *frameWriter) flush() error {
	rest := f.buf
	for len(rest) > 0 {
		frame := rest[:min(len(rest), frameSize)]
		if err := f.c.Compress(frame); err != nil {
			return err
		}
		if _, err := f.w.Write(f.c.Data); err != nil {
			return err
		}
		rest = rest[len(frame):]
	}
	f.buf = f.buf[:0]
	return nil
}
