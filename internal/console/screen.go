package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is where a command prints for people. The zero value discards; a Screen with only Out prints plainly.
type Screen struct {
	Out io.Writer
	// Width is the number of columns of the terminal; 0 without a terminal, for full values.
	Width int
	// Colour is whether to use colour.
	Colour bool
}

// defaultWidth is that of a terminal which does not say.
const defaultWidth = 80

// NewScreen returns the screen of an output, by the conventions in the package's documentation.
func NewScreen(out io.Writer, noColour bool, getenv func(string) string) Screen {
	s := Screen{Out: out}
	if f, ok := out.(*os.File); ok && IsTerminal(out) {
		s.Width = defaultWidth
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			s.Width = width
		}
	}
	s.Colour = colours(s.Width > 0, noColour, getenv)
	return s
}

// IsTerminal reports whether a person reads this in a terminal.
func IsTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours follows https://no-color.org and https://bixense.com/clicolors.
func colours(terminal, noColour bool, getenv func(string) string) bool {
	force := getenv("CLICOLOR_FORCE")
	switch {
	case noColour, getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return terminal && getenv("TERM") != "dumb" && getenv("CLICOLOR") != "0"
}

// Style is how a text looks in colour.
type Style string

// The styles, as parameters of the terminal's SGR sequence. They keep to the eight colours that every theme defines.
const (
	Plain Style = ""
	Bold  Style = "1"
	Dim   Style = "2"
	Good  Style = "32"
	Odd   Style = "33"
	Bad   Style = "31"
)

// Paint returns a text in a style, or as it is without colour.
func (s Screen) Paint(style Style, text string) string {
	if !s.Colour || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
