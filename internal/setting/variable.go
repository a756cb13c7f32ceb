package setting

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Variable is a variable that was read.
type Variable struct {
	Name string
	// Meaning says what it sets, in a sentence or two.
	Meaning string
	// Value as it would be written. That of a secret is left out.
	Value string
	// Origin is where the value comes from.
	Origin Origin
	// Secret says that the value is left out.
	Secret bool
}

// Origin is where the value of a variable comes from.
type Origin string

// The origins.
const (
	FromDefault     Origin = "default"
	FromEnvironment Origin = "environment"
	// FromFile is the file that the variable with the ending _FILE names.
	FromFile Origin = "file"
)

// Help lists variables with their defaults and meanings, in lines of at most 80 columns where names allow it.
func Help(variables []Variable) string {
	var b strings.Builder
	for _, v := range variables {
		value := v.Value
		if value == "" {
			value = "none"
		}
		fmt.Fprintf(&b, "  %s (%s)\n", v.Name, value)
		line := "     "
		for word := range strings.FieldsSeq(v.Meaning) {
			if len(line)+1+len(word) > 80 {
				b.WriteString(line + "\n")
				line = "     "
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// File returns variables as a file of variables, which a shell and Compose read. Those of the environment are set in
// it. Those that have their default are comments, and so are secrets: the file must be safe to pass on.
func File(variables []Variable) string {
	var b strings.Builder
	for _, part := range []struct {
		head string
		has  func(Variable) bool
	}{
		{"Set in the environment", func(v Variable) bool { return v.Origin == FromEnvironment && !v.Secret }},
		{"Set in the environment; secret, so commented out", func(v Variable) bool {
			return v.Origin == FromEnvironment && v.Secret
		}},
		{"Read from the file that NAME_FILE names; secret, so commented out", func(v Variable) bool {
			return v.Origin == FromFile
		}},
		{"Not set, so with their defaults; commented out", func(v Variable) bool { return v.Origin == FromDefault }},
	} {
		if !slices.ContainsFunc(variables, part.has) {
			continue
		}
		fmt.Fprintf(&b, "# %s:\n", part.head)
		for _, v := range variables {
			switch {
			case !part.has(v):
			case v.Origin == FromDefault:
				fmt.Fprintf(&b, "#%s=%s\n", v.Name, quoted(v.Value))
			case v.Secret:
				fmt.Fprintf(&b, "#%s=%s\n", v.Name, Mask)
			default:
				fmt.Fprintf(&b, "%s=%s\n", v.Name, quoted(v.Value))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// bare matches values that need no quotes in a file of variables.
var bare = regexp.MustCompile(`^[\w./:,@%+=-]*$`)

// quoted puts a value into single quotes, if a shell would read it otherwise.
func quoted(value string) string {
	if bare.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
