package console_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/orderledger/orderledger/internal/console"
)

// terminal returns the side of a pseudo-terminal that a program writes to.
func terminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = slave.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24}))
	return slave
}

func TestScreenOfTerminal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		columns uint16
		env     map[string]string
		width   int
		colour  bool
	}{
		{"its width", 132, nil, 132, true},
		{"80 if it does not say", 0, nil, 80, true},
		{"NO_COLOR", 80, map[string]string{"NO_COLOR": "1"}, 80, false},
		{"a dumb terminal", 80, map[string]string{"TERM": "dumb"}, 80, false},
		{"CLICOLOR=0", 80, map[string]string{"CLICOLOR": "0"}, 80, false},
		{"CLICOLOR=1", 80, map[string]string{"CLICOLOR": "1"}, 80, true},
	} {
		out := terminal(t, tc.columns)
		require.True(t, console.IsTerminal(out))
		s := console.NewScreen(out, false, func(name string) string { return tc.env[name] })
		require.Equal(t, tc.width, s.Width, tc.name)
		require.Equal(t, tc.colour, s.Colour, tc.name)
		require.False(t, console.NewScreen(out, true, func(string) string { return "" }).Colour, "--no-color")
	}
}
