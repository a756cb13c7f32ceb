package setting

import (
	"fmt"
	"regexp"
	"strings"
)

// bare matches values that need no quotes in a file of variables.
var bare = regexp.MustCompile(`^[\w./:,@%+=-]*$`)

// File returns the variables that were read as a file of variables, which a shell and Compose read. Those of the
// environment are set in it. Those that have their default are comments, and so are secrets: the file must be safe to
// pass on.
func (r *Reader) File() string {
	var b strings.Builder
	b.WriteString("# Variables from the environment; those with their default are commented out.\n")
	for _, v := range r.variables {
		switch {
		case v.Secret && v.Set:
			fmt.Fprintf(&b, "# %s is set; its value is not shown\n", v.Name)
		case v.Set:
			fmt.Fprintf(&b, "%s=%s\n", v.Name, quoted(v.Value))
		default:
			fmt.Fprintf(&b, "#%s=%s\n", v.Name, quoted(v.Value))
		}
	}
	return b.String()
}

// Defaults lists the variables with their values, aligned.
func (r *Reader) Defaults() string {
	var b strings.Builder
	for _, v := range r.variables {
		fmt.Fprintf(&b, "  %-42s %s\n", v.Name, v.Value)
	}
	return b.String()
}

// quoted puts a value into single quotes, if a shell would read it otherwise.
func quoted(value string) string {
	if bare.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
