package setting

import (
	"encoding"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Reader reads variables. A variable that is not set, or empty, leaves the value unchanged. A variable that can't be
// parsed is a problem, which Problems returns.
type Reader struct {
	getenv   func(string) string
	problems []error
}

// NewReader returns a reader of an environment, such as os.Getenv.
func NewReader(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Problems returns an error for each variable that could not be parsed; it names the variable.
func (r *Reader) Problems() []error { return r.problems }

// Bad adds a problem with a variable; the format may wrap an error with %w.
func (r *Reader) Bad(name, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(name+": "+format, args...))
}

// Get returns the text of a variable.
func (r *Reader) Get(name string) string { return r.getenv(name) }

// Text reads a text.
func (r *Reader) Text(name string, to *string) {
	if v := r.getenv(name); v != "" {
		*to = v
	}
}

// Or reads a text. The word none, such as "off", makes it empty.
func (r *Reader) Or(none, name string, to *string) {
	if r.Text(name, to); *to == none {
		*to = ""
	}
}

// List reads a list of texts, separated by commas.
func (r *Reader) List(name string, to *[]string) {
	var out []string
	for part := range strings.SplitSeq(r.getenv(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	if len(out) > 0 {
		*to = out
	}
}

// Number reads an integer.
func (r *Reader) Number(name string, to *int) {
	if v := r.getenv(name); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			r.Bad(name, "%q is not a number", v)
			return
		}
		*to = n
	}
}

// Truth reads true or false. It accepts on, yes and 1 for true, and off, no and 0 for false.
func (r *Reader) Truth(name string, to *bool) {
	switch v := strings.ToLower(r.getenv(name)); v {
	case "":
	case "true", "on", "1", "yes":
		*to = true
	case "false", "off", "0", "no":
		*to = false
	default:
		r.Bad(name, "%q: want true or false", v)
	}
}

// Duration reads a duration with its unit, such as 30m.
func (r *Reader) Duration(name string, to *time.Duration) {
	if v := r.getenv(name); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			r.Bad(name, "%q: want a duration with its unit, such as 30m", v)
			return
		}
		*to = d
	}
}

// Word reads a value that parses its own text, such as a log level.
func (r *Reader) Word(name string, to encoding.TextUnmarshaler) {
	if v := r.getenv(name); v != "" {
		if err := to.UnmarshalText([]byte(v)); err != nil {
			r.Bad(name, "%w", err)
		}
	}
}

// Secret reads a secret from a variable, or from the file that the variable name_FILE names. Line ends at the end of
// the file are not part of the secret. Problems never contain it.
func (r *Reader) Secret(name string, to *Secret) {
	text, path := r.getenv(name), r.getenv(name+"_FILE")
	switch {
	case text != "" && path != "":
		r.Bad(name, "%s_FILE is set too: set one of them", name)
	case text != "":
		*to = NewSecret(text)
	case path != "":
		data, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			r.Bad(name+"_FILE", "%w", err)
			return
		}
		if *to = NewSecret(strings.TrimRight(string(data), "\r\n")); to.IsZero() {
			r.Bad(name+"_FILE", "%s is empty", path)
		}
	}
}
