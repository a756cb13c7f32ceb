package kafka

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kgo"
)

// minCompressed is the size in bytes from which a batch is compressed. One event alone, or its decision, is smaller:
// gzip would take it to two thirds only, and a caller who waits for it would pay 25 µs with warm caches and 70 µs with
// cold ones. Batches of a busy lane are larger.
const minCompressed = 2 << 10

// Compressed makes a producer compress its batches with gzip, the only codec that every usual client has built in. It
// is for the topics that are kept forever, and whose batches hold many records under load: level 1 takes those to a
// quarter, at 6 µs a record. Higher levels save another tenth and cost twice as much. Batches below 2 KiB stay as they
// are.
func Compressed() kgo.Opt {
	gzip, err := kgo.DefaultCompressor(kgo.GzipCompression().WithLevel(1))
	if err != nil {
		panic(err) // Only for an unknown codec.
	}
	return kgo.WithCompressor(largeBatches{gzip})
}

// uncompressed leaves all batches as they are.
type uncompressed struct{}

// Compress implements kgo.Compressor.
func (uncompressed) Compress(
	_ *bytes.Buffer, src []byte, _ ...kgo.CompressFlag,
) ([]byte, kgo.CompressionCodecType) {
	return src, kgo.CodecNone
}

// largeBatches compresses the batches that are worth it.
type largeBatches struct{ kgo.Compressor }

// Compress implements kgo.Compressor. A batch names its codec, so readers need not know which batches are compressed.
func (c largeBatches) Compress(
	dst *bytes.Buffer, src []byte, flags ...kgo.CompressFlag,
) ([]byte, kgo.CompressionCodecType) {
	if len(src) < minCompressed {
		return src, kgo.CodecNone
	}
	return c.Compressor.Compress(dst, src, flags...)
}
