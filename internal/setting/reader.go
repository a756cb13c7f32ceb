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
	getenv    func(string) string
	problems  []error
	variables []Variable
}

// Variable is a variable that was read.
type Variable struct {
	// Name of the variable, and its value as it would be written. The value of a secret is not shown.
	Name, Value string
	// Set says that the value comes from the environment; else it is the default.
	Set bool
	// Secret says that the value is left out.
	Secret bool
}

// Variables returns what was read, each name once, in the order of reading.
func (r *Reader) Variables() []Variable { return r.variables }

// note remembers a variable with the value that it has now.
func (r *Reader) note(name, value string, secret bool) {
	v := Variable{Name: name, Value: value, Set: r.getenv(name) != "", Secret: secret}
	for i := range r.variables {
		if r.variables[i].Name == name {
			if value != "" {
				r.variables[i] = v
			}
			return
		}
	}
	r.variables = append(r.variables, v)
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
func (r *Reader) Get(name string) string {
	v := r.getenv(name)
	r.note(name, v, false)
	return v
}

// Text reads a text.
func (r *Reader) Text(name string, to *string) {
	if v := r.getenv(name); v != "" {
		*to = v
	}
	r.note(name, *to, false)
}

// Or reads a text. The word none, such as "off", makes it empty.
func (r *Reader) Or(none, name string, to *string) {
	if r.Text(name, to); *to == none {
		*to = ""
	}
	if *to == "" {
		r.note(name, none, false)
	}
}

// List reads a list of texts, separated by commas.
func (r *Reader) List(name string, to *[]string) { r.list(name, to, false) }

// SecretList is List for values that no output may show.
func (r *Reader) SecretList(name string, to *[]string) { r.list(name, to, true) }

func (r *Reader) list(name string, to *[]string, secret bool) {
	var out []string
	for part := range strings.SplitSeq(r.getenv(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	if len(out) > 0 {
		*to = out
	}
	value := strings.Join(*to, ",")
	if secret {
		value = ""
	}
	r.note(name, value, secret)
}

// Number reads an integer.
func (r *Reader) Number(name string, to *int) {
	defer func() { r.note(name, strconv.Itoa(*to), false) }()
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
	defer func() { r.note(name, strconv.FormatBool(*to), false) }()
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
	defer func() { r.note(name, to.String(), false) }()
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
	defer func() { r.note(name, fmt.Sprint(to), false) }()
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
	r.note(name, "", true)
	r.note(name+"_FILE", path, false)
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
