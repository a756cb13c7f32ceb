package setting_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

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
