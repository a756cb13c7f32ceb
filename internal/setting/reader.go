package setting

import (
	"cmp"
	"encoding"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Reader reads variables. A variable that is not set, or empty, leaves the value unchanged. A variable that can't be
// parsed is a problem, which Problems returns. Each variable is read once, with its meaning beside it: -h and the
// documents have it from there.
type Reader struct {
	getenv    func(string) string
	problems  []error
	variables []Variable
}

// NewReader returns a reader of an environment, such as os.Getenv.
func NewReader(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Environment returns a function that looks up the variables of an environment, whose entries have the form NAME=value.
// The last one of a name counts.
func Environment(environ []string) func(string) string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// Variables returns what was read, in the order of reading.
func (r *Reader) Variables() []Variable { return r.variables }

// Problems returns an error for each variable that could not be parsed; it names the variable.
func (r *Reader) Problems() []error { return r.problems }

// Bad adds a problem with a variable; the format may wrap an error with %w.
func (r *Reader) Bad(name, format string, args ...any) {
	r.problems = append(r.problems, Invalid(name, format, args...))
}

// IsSet reports whether the environment has a variable.
func (r *Reader) IsSet(name string) bool { return r.getenv(name) != "" }

// Gone reports a variable that is set although no program reads it any more. do says what to do.
func (r *Reader) Gone(name, do string) {
	if r.IsSet(name) {
		r.Bad(name, "it is gone: %s", do)
	}
}

// note remembers a variable with the value that it has now.
func (r *Reader) note(v Variable) {
	if v.Origin == "" {
		v.Origin = FromDefault
		if r.IsSet(v.Name) {
			v.Origin = FromEnvironment
		}
	}
	r.variables = append(r.variables, v)
}

// Text reads a text.
func (r *Reader) Text(name string, to *string, meaning string) {
	if v := r.getenv(name); v != "" {
		*to = v
	}
	r.note(Variable{Name: name, Meaning: meaning, Value: *to})
}

// Or reads a text. The word none, such as "off", makes it empty.
func (r *Reader) Or(none, name string, to *string, meaning string) {
	if v := r.getenv(name); v != "" {
		*to = v
	}
	if *to == none {
		*to = ""
	}
	r.note(Variable{Name: name, Meaning: meaning, Value: cmp.Or(*to, none)})
}

// List reads a list of texts, separated by commas.
func (r *Reader) List(name string, to *[]string, meaning string) {
	r.list(name, to)
	r.note(Variable{Name: name, Meaning: meaning, Value: strings.Join(*to, ",")})
}

// SecretList is List for values that no output may show.
func (r *Reader) SecretList(name string, to *[]string, meaning string) {
	r.list(name, to)
	r.note(Variable{Name: name, Meaning: meaning, Secret: true})
}

func (r *Reader) list(name string, to *[]string) {
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
func (r *Reader) Number(name string, to *int, meaning string) {
	defer func() { r.note(Variable{Name: name, Meaning: meaning, Value: strconv.Itoa(*to)}) }()
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
func (r *Reader) Truth(name string, to *bool, meaning string) {
	defer func() { r.note(Variable{Name: name, Meaning: meaning, Value: strconv.FormatBool(*to)}) }()
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
func (r *Reader) Duration(name string, to *time.Duration, meaning string) {
	defer func() { r.note(Variable{Name: name, Meaning: meaning, Value: duration(*to)}) }()
	if v := r.getenv(name); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			r.Bad(name, "%q: want a duration with its unit, such as 30m", v)
			return
		}
		*to = d
	}
}

// duration returns the text of a duration without the zeros at its end: 30m, not 30m0s.
func duration(d time.Duration) string {
	text := d.String()
	if d != 0 && strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Word reads a value that parses its own text, such as a log level.
func (r *Reader) Word(name string, to encoding.TextUnmarshaler, meaning string) {
	defer func() { r.note(Variable{Name: name, Meaning: meaning, Value: fmt.Sprint(to)}) }()
	if v := r.getenv(name); v != "" {
		if err := to.UnmarshalText([]byte(v)); err != nil {
			r.Bad(name, "%w", err)
		}
	}
}

// Secret reads a secret from a variable, or from the file that the variable name_FILE names. Line ends at the end of
// the file are not part of the secret. Problems never contain it.
func (r *Reader) Secret(name string, to *Secret, meaning string) {
	text, path := r.getenv(name), r.getenv(name+"_FILE")
	v := Variable{Name: name, Meaning: meaning, Secret: true}
	if text == "" && path != "" {
		v.Origin = FromFile
	}
	r.note(v)
	r.note(Variable{Name: name + "_FILE", Meaning: "file that holds " + name, Value: path})
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
