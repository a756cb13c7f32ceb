package setting_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

// The meaning is wrapped for a terminal of 80 columns; a name and its default are one line, so that they can be copied.
func TestHelpWrapsMeanings(t *testing.T) {
	t.Parallel()
	meaning := strings.TrimSpace(strings.Repeat("some words about it, ", 20))
	text := setting.Help([]setting.Variable{{Name: "A_NAME", Value: "7", Meaning: meaning}, {Name: "B_NAME", Meaning: "short"}})
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Equal(t, "  A_NAME (7)", lines[0])
	require.Equal(t, []string{"  B_NAME (none)", "      short"}, lines[len(lines)-2:])
	for i, line := range lines[1 : len(lines)-2] {
		require.LessOrEqual(t, len(line), 80, line)
		if i > 0 {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			require.Greater(t, len(lines[i])+1+len(word), 80, "a line is as long as it can be: %s", lines[i])
		}
	}
	require.Equal(t, meaning, strings.Join(strings.Fields(strings.Join(lines[1:len(lines)-2], " ")), " "))
}

func TestFileSaysWhereValuesComeFrom(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("hunter2\n"), 0o600))
	r := reader(map[string]string{"TEXT": "two words", "TOKEN": "hunter3", "PASSWORD_FILE": file})
	text, number := "", 7
	r.Text("TEXT", &text, "a text")
	r.Number("NUMBER", &number, "a number")
	r.Secret("TOKEN", new(setting.Secret), "a token")
	r.Secret("PASSWORD", new(setting.Secret), "a password")
	require.Empty(t, r.Problems())
	require.Equal(t, `# Set in the environment:
TEXT='two words'
PASSWORD_FILE=`+file+`

# Set in the environment; secret, so commented out:
#TOKEN=***

# Read from the file that NAME_FILE names; secret, so commented out:
#PASSWORD=***

# Not set, so with their defaults; commented out:
#NUMBER=7
#TOKEN_FILE=

`, setting.File(r.Variables()))
}
