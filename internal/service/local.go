package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
)

// checks are run by -check only: a program that runs has its own addresses.
func (l Local) checks() []preflight.Check {
	return append([]preflight.Check{
		{Name: "variables", Run: func(context.Context) []preflight.Finding { return variables(os.Environ()) }},
		{Name: "addresses", Run: func(ctx context.Context) []preflight.Finding { return l.addresses(ctx) }},
		{Name: "folders", Run: func(context.Context) []preflight.Finding { return l.folders() }},
	}, l.Checks...)
}

func variables(environ []string) []preflight.Finding {
	unknown := setting.Unknown(environ)
	var out []preflight.Finding
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		do := "remove it"
		if nearest := unknown[name]; nearest != "" {
			do = "write " + nearest
		}
		out = append(out, preflight.Failure(do, "no program reads %s", name))
	}
	if out == nil {
		out = append(out, preflight.Good("all are known"))
	}
	return out
}

func (l Local) addresses(ctx context.Context) []preflight.Finding {
	var out []preflight.Finding
	for _, addr := range l.Addrs {
		if addr == "" {
			continue
		}
		var lc net.ListenConfig
		listener, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			out = append(out, preflight.Failure("stop the program that uses it, or choose another", "%v", err))
			continue
		}
		_ = listener.Close()
		out = append(out, preflight.Good("%s is free", addr))
	}
	if out == nil {
		out = append(out, preflight.Good("none is needed"))
	}
	return out
}

func (l Local) folders() []preflight.Finding {
	var out []preflight.Finding
	for _, dir := range l.Folders {
		if err := writable(dir); err != nil {
			out = append(out, preflight.Failure("give the user of the program the right to write there", "%v", err))
			continue
		}
		out = append(out, preflight.Good("%s can be written", dir))
	}
	if out == nil {
		out = append(out, preflight.Good("none is needed"))
	}
	return out
}

// writable tries to make a folder in the nearest one that exists, and removes it again.
func writable(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at:
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is no folder", at)
		}
		probe, err := os.MkdirTemp(at, ".check-")
		if err != nil {
			return err
		}
		return os.Remove(probe)
	}
}
