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
func (l Local) checks(environ []string) []preflight.Check {
	return append([]preflight.Check{
		{Name: "variables", Run: func(context.Context) []preflight.Finding { return variables(environ) }},
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
	for i, err := range listen(ctx, l.Addrs) {
		switch a := l.Addrs[i]; {
		case err != nil:
			out = append(out, preflight.Failure(setting.ListenAdvice(err), "%s: %v", a.Variable, err))
		case a.Addr != "":
			out = append(out, preflight.Good("%s is free", a.Addr))
		}
	}
	if out == nil {
		out = append(out, preflight.Good("none is needed"))
	}
	return out
}

// ProbeAddrs returns why a program can't listen on its addresses. It keeps none of them: what is wrong must be known
// before anything is created, and before an instance takes lanes from others.
func ProbeAddrs(ctx context.Context, addrs ...Addr) error {
	var problems []error
	for i, err := range listen(ctx, addrs) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w; %s", addrs[i].Variable, err, setting.ListenAdvice(err)))
		}
	}
	return errors.Join(problems...)
}

// listen tries the addresses that are not empty, and returns an error or nil for each.
func listen(ctx context.Context, addrs []Addr) []error {
	out := make([]error, len(addrs))
	for i, a := range addrs {
		if a.Addr == "" {
			continue
		}
		var lc net.ListenConfig
		var listener net.Listener
		if listener, out[i] = lc.Listen(ctx, "tcp", a.Addr); out[i] == nil {
			defer listener.Close() // At the end, so that two addresses that exclude each other are found.
		}
	}
	return out
}

func (l Local) folders() []preflight.Finding {
	var out []preflight.Finding
	for _, f := range l.Folders {
		if err := CheckFolder(f.Dir); err != nil {
			out = append(out, preflight.Failure("give the user of the program the right to write there, or choose another",
				"%s: %v", f.Variable, err))
			continue
		}
		out = append(out, preflight.Good("%s can be written", f.Dir))
	}
	if out == nil {
		out = append(out, preflight.Good("none is needed"))
	}
	return out
}

// CheckFolder returns why a folder can't be made or written, if so. It tries to make another one in the nearest folder
// that exists, and removes it again.
func CheckFolder(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at:
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is a file, not a folder", at)
		}
		probe, err := os.MkdirTemp(at, ".check-")
		if err != nil {
			return err
		}
		return os.Remove(probe)
	}
}
