package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
)

// byteOrderMark is the UTF-8 mark that editors and spreadsheets of Windows write before the first line. It is not JSON.
// `cat` of two such files leaves one in the middle, so it is removed from every line.
const byteOrderMark = "\ufeff"

// open returns the text of r, decompressed if r begins with gzip's magic number. Reading it ends with the context. It
// refuses a file in a format that import does not read, by the name of the format: the service would refuse each line
// of it with a reason that leads nowhere.
func open(ctx context.Context, r io.Reader) (*bufio.Reader, error) {
	text := bufio.NewReaderSize(untilDone{ctx, r}, 1<<20)
	// An error of Peek comes again with the first read.
	if begin, _ := text.Peek(2); bytes.Equal(begin, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(text)
		if err != nil {
			return nil, gzipError(err)
		}
		text = bufio.NewReaderSize(gunzip{unzipped}, 1<<20)
	}
	begin, _ := text.Peek(2)
	if format := foreign(begin); format != "" {
		return nil, errors.New(format)
	}
	return text, nil
}

// foreign says what is wrong with a file that begins with these bytes, or returns "".
func foreign(begin []byte) string {
	// Two bytes each: a pipe may hold no more for now, and no notification begins with any of these.
	const utf16 = "the file is UTF-16, not UTF-8: convert it, for example with `iconv -f UTF-16 -t UTF-8`"
	for _, f := range []struct{ magic, says string }{
		{"\xff\xfe", utf16},
		{"\xfe\xff", utf16},
		{"{\x00", utf16}, // Without a byte order mark.
		{"\x00{", utf16},
		{"PK", "the file is a zip archive: unpack it first; import reads plain text and gzip"},
		{"BZ", "the file is compressed with bzip2: unpack it first; import reads plain text and gzip"},
		{"\xfd7", "the file is compressed with xz: unpack it first; import reads plain text and gzip"},
		{"\x28\xb5", "the file is compressed with zstd: unpack it first; import reads plain text and gzip"},
		{"\x1f\x8b", "the file is compressed with gzip twice: unpack it once"},
	} {
		if bytes.HasPrefix(begin, []byte(f.magic)) {
			return f.says
		}
	}
	const lines = "import reads one notification a line, such as {\"eventType\": …}"
	switch {
	case len(begin) == 0:
		return ""
	case begin[0] == '[':
		return "the file is a JSON list: " + lines + "; `jq -c '.[]'` makes lines of it"
	case bytes.Equal(begin, []byte("{\n")), bytes.Equal(begin, []byte("{\r")):
		return "a notification of the file has several lines: " + lines + "; `jq -c .` makes one line of each"
	case begin[0] == '<', begin[0] == '"', 'A' <= begin[0]&^0x20 && begin[0]&^0x20 <= 'Z':
		return "the file holds no JSON; is it CSV or XML? " + lines
	}
	return ""
}

// untilDone ends a reader with the context, between two reads: a file without line ends would otherwise be read to its
// end first.
type untilDone struct {
	ctx context.Context //nolint:containedctx // io.Reader has no parameter for it.
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// gunzip names what is wrong with a gzip file.
type gunzip struct{ r *gzip.Reader }

func (g gunzip) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzip file is truncated, as after an interrupted copy: get it again (%w)", err)
	case errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("the gzip file is damaged: get it again (%w)", err)
	case errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("the gzip file has a damaged header, or other bytes behind its end (%w)", err)
	}
	return err
}

var errTooLong = fmt.Errorf("the line is longer than %d bytes", MaxLineBytes)

// readLine returns a copy of the next line without its line end and without a byte order mark, and nil for a blank one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var body []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(body)+len(part) > MaxLineBytes {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, errTooLong
		}
		body = append(body, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(body) == 0):
			return nil, err
		}
		body = bytes.TrimRight(bytes.TrimPrefix(body, []byte(byteOrderMark)), "\r\n")
		if len(bytes.TrimSpace(body)) == 0 {
			return nil, nil
		}
		return body, nil
	}
}
