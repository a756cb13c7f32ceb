package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Unmarshal reads a file of settings, one JSON value. It refuses unknown members, because a misspelt one would silently
// keep its default, and anything behind the value. An error names the line and the column, and the member.
func Unmarshal(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
			return fmt.Errorf("%s: want the end of the file: it holds one JSON value", place(data, len(data)-len(rest)))
		}
		return nil
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the file ends within a value: a bracket or a quote is not closed", place(data, len(data)))
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", place(data, int(syntax.Offset)-1), syntax)
	case errors.As(err, &wrong):
		member := ""
		if name := memberPath(wrong.Field); name != "" {
			member = name + ": "
		}
		return fmt.Errorf("%s: %swant %s, got %s", place(data, valueBefore(data, int(wrong.Offset))), member,
			kindOf(wrong.Type), valueOf(wrong.Value))
	}
	if quoted, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		name, unquoteErr := strconv.Unquote(quoted)
		if unquoteErr == nil {
			return unknownMember(data, name, into)
		}
	}
	return err // Of a type that reads itself, such as a duration: it names the value.
}

// unknownMember names the line of a member, and the known one that it most resembles.
func unknownMember(data []byte, name string, into any) error {
	// The decoder does not give the offset. A text of the same name before a colon is the member, or another unknown one.
	at := regexp.MustCompile(regexp.QuoteMeta(strconv.Quote(name)) + `\s*:`).FindIndex(data)
	var where string
	if at != nil {
		where = place(data, at[0]) + ": "
	}
	best, least := "", 2+len(name)/4
	for _, known := range members(reflect.TypeOf(into), map[reflect.Type]bool{}) {
		if d := distance(name, known); d < least {
			best, least = fmt.Sprintf("; is it %q?", known), d
		}
	}
	return fmt.Errorf("%sunknown member %q%s", where, name, best)
}

// members returns the names of all members that a type can have, at any depth.
func members(t reflect.Type, seen map[reflect.Type]bool) (names []string) {
	if seen[t] {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		return members(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			field := t.Field(i)
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
				names = append(names, name)
			}
			names = append(names, members(field.Type, seen)...)
		}
	default: // It has no members.
	}
	return names
}

// memberPath leaves the names of embedded Go structs out of a path: members begin with a lower-case letter.
func memberPath(field string) string {
	var parts []string
	for _, part := range strings.Split(field, ".") {
		if part != "" && (part[0] < 'A' || part[0] > 'Z') {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ".")
}

func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// valueOf words the description of a value by encoding/json, such as "array" or "number 1.5".
func valueOf(value string) string {
	kind, rest, _ := strings.Cut(value, " ")
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		if rest != "" {
			return rest
		}
		return "a number"
	}
	return value
}

// valueBefore returns the offset at which a value begins that the decoder has read up to end; of a list or an object it
// has read the bracket.
func valueBefore(data []byte, end int) int {
	at := min(max(end-1, 0), len(data)-1)
	if data[at] == '"' {
		for at--; at > 0 && (data[at] != '"' || data[at-1] == '\\'); at-- {
		}
		return max(at, 0)
	}
	for at > 0 && strings.IndexByte("+-.0123456789Eaeflnrstu", data[at-1]) >= 0 {
		at--
	}
	return at
}

// place names the line and the column of an offset.
func place(data []byte, offset int) string {
	before := data[:min(max(offset, 0), len(data))]
	line := bytes.Count(before, []byte("\n"))
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("line %d, column %d", line+1, column+1)
}
