package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUpAnnouncesPushes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	upOptions{}.announcePushes(&out)
	require.Empty(t, out.String())
	upOptions{SuborderEndpoints: []string{"wms=http://127.0.0.1:9/hook?key=geheim", "http://127.0.0.1:9/x"}}.announcePushes(&out)
	require.Equal(t, "pushes      wms gets every message, of all sellers, locations and channels, from the first\n"+
		"pushes      127.0.0.1-9-x gets every message, of all sellers, locations and channels, from the first\n", out.String())
}
