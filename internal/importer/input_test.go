package importer_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

// A file that an editor of Windows wrote is read like any other.
func TestImportReadsTextOfAnyEditor(t *testing.T) {
	t.Parallel()
	const bom, one, two = "\ufeff", `{"shipmentId":"a"}`, `{"shipmentId":"b"}`
	for name, in := range map[string]string{
		"plain":                             one + "\n" + two + "\n",
		"no line end behind the last":       one + "\n" + two,
		"CRLF":                              one + "\r\n" + two + "\r\n",
		"byte order mark":                   bom + one + "\n" + two + "\n",
		"byte order mark with CRLF":         bom + one + "\r\n" + two + "\r\n",
		"two files with marks, joined":      bom + one + "\n" + bom + two + "\n",
		"mark on a line of its own":         bom + "\r\n" + one + "\n" + two,
		"empty lines":                       "\n\r\n" + one + "\n \t\n\n" + two + "\n\n",
		"gzip":                              zipped(t, one+"\n"+two+"\n"),
		"mark and CRLF in gzip":             zipped(t, bom+one+"\r\n"+two+"\r\n"),
		"two gzip files with marks, joined": zipped(t, bom+one+"\n") + zipped(t, bom+two),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := &recorder{answer: func(body string, _ int) (int, string) {
				if body != one && body != two {
					return http.StatusBadRequest, refused
				}
				return http.StatusOK, stored
			}}
			srv := httptest.NewServer(rec)
			t.Cleanup(srv.Close)
			result, err := importer.Import(t.Context(), importer.Config{URL: srv.URL, Concurrency: 1}, strings.NewReader(in))
			require.NoError(t, err)
			require.Empty(t, result.Refused)
			require.Equal(t, 2, result.Lines)
			require.Equal(t, []string{one, two}, rec.got)
		})
	}
}

func TestImportNamesForeignFiles(t *testing.T) {
	t.Parallel()
	little, big := []byte{0xff, 0xfe}, []byte{0xfe, 0xff}
	for _, unit := range utf16.Encode([]rune(file(1, 2))) {
		little, big = append(little, byte(unit), byte(unit>>8)), append(big, byte(unit>>8), byte(unit))
	}
	whole := zipped(t, file(200, 20))
	damaged := []byte(whole)
	damaged[len(damaged)-6] ^= 1 // In the checksum.
	for name, tc := range map[string]struct{ in, want string }{
		"UTF-16, little":              {string(little), "UTF-16"},
		"UTF-16, big":                 {string(big), "UTF-16"},
		"UTF-16 without mark, little": {string(little[2:]), "UTF-16"},
		"UTF-16 without mark, big":    {string(big[2:]), "UTF-16"},
		"UTF-16 in gzip":              {zipped(t, string(little)), "UTF-16"},
		"zip":                         {"PK\x03\x04\x14\x00", "zip archive"},
		"zstd":                        {"\x28\xb5\x2f\xfd\x04\x00", "zstd"},
		"bzip2":                       {"BZh91AY", "bzip2"},
		"xz":                          {"\xfd7zXZ\x00\x00", "xz"},
		"gzip twice":                  {zipped(t, whole), "twice"},
		"CSV":                         {"eventType,shipmentId\nshipment_created,S1\n", "the file holds no JSON; is it CSV or XML?"},
		"CSV in quotes":               {"\"eventType\",\"shipmentId\"\n", "the file holds no JSON"},
		"XML":                         {"<?xml version=\"1.0\"?>\n", "the file holds no JSON"},
		"a list":                      {"[{\"eventType\": \"shipment_created\"}]\n", "the file is a JSON list"},
		"several lines":               {"{\n  \"eventType\": \"shipment_created\"\n}\n", "has several lines"},
		"several lines of Windows":    {"{\r\n  \"eventType\": \"shipment_created\"\r\n}\r\n", "has several lines"},
		"truncated gzip":              {whole[:len(whole)-200], "the gzip file is truncated"},
		"gzip without its end":        {whole[:len(whole)-4], "the gzip file is truncated"},
		"gzip with half a header":     {whole[:5], "the gzip file is truncated"},
		"damaged gzip":                {string(damaged), "the gzip file is damaged"},
		"bytes behind gzip":           {whole + "more than ten bytes of text", "other bytes behind its end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := &recorder{answer: func(body string, _ int) (int, string) {
				if !strings.HasPrefix(body, "{") || !strings.HasSuffix(body, "}") {
					return http.StatusBadRequest, refused // Half a line would be refused.
				}
				return http.StatusOK, stored
			}}
			srv := httptest.NewServer(rec)
			t.Cleanup(srv.Close)
			result, err := importer.Import(t.Context(), importer.Config{URL: srv.URL}, strings.NewReader(tc.in))
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, result.Refused, "the lines are not at fault")
		})
	}
}
