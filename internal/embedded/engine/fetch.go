package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/filelock"
)

// Fetch puts the library into the cache, unless it is there already, and returns its path. The npm client downloads the
// package from its configured registry; the package must match the pinned checksum. The progress function may be nil;
// its arguments are the number of unpacked bytes and the total. Several processes may call Fetch at the same time: one
// fetches, the others wait. A cancelled or failed fetch leaves nothing behind.
func Fetch(ctx context.Context, progress func(done, total int64)) (string, error) {
	if found, err := Locate(); !errors.Is(err, ErrNotFetched) {
		return found, err
	}
	a, ok := archives[platform()]
	if !ok {
		return "", fmt.Errorf("fetch the engine: no verified package for %s: get a libchdb %s yourself and set %s",
			platform(), Version, EnvLibrary)
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	lock, err := filelock.Take(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	defer func() { _ = lock.Release() }() // The kernel frees it at the end of the process.
	// Another process may have fetched it while this one waited.
	target := filepath.Join(dir, libraryName)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	// Killed fetches left these folders: this process has the lock, so no other fetch is running.
	left, err := filepath.Glob(filepath.Join(dir, "fetch-*"))
	if err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	for _, old := range left {
		if err := os.RemoveAll(old); err != nil {
			return "", fmt.Errorf("fetch the engine: %w", err)
		}
	}
	// Inside the cache, so that the rename at the end stays on one file system.
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := fetchInto(ctx, a, work, target, progress); err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	return target, nil
}

func fetchInto(ctx context.Context, a archive, work, target string, progress func(done, total int64)) error {
	tarball, err := pack(ctx, a, work)
	if err != nil {
		return err
	}
	if err := verify(tarball, a.sha256); err != nil {
		return err
	}
	unpacked := filepath.Join(work, libraryName)
	if err := extract(ctx, tarball, unpacked, a.size, progress); err != nil {
		return err
	}
	return os.Rename(unpacked, target)
}

// pack makes npm download the package as a tarball. It puts the npm cache into the work folder: a second copy of 180 MB
// in the user's npm cache would be of no use.
func pack(ctx context.Context, a archive, work string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("npm is not installed: install it, or get %s@%s yourself and set %s to its %s: %w",
			a.name, packageVersion, EnvLibrary, libraryName, err)
	}
	cmd := exec.CommandContext(ctx, npm, "pack", a.name+"@"+packageVersion, //nolint:gosec // The name is from our table.
		"--ignore-scripts", "--loglevel=error", "--pack-destination", work, "--cache", filepath.Join(work, "npm"))
	cmd.Dir = work
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil { // npm was killed.
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("npm pack %s@%s: %w: %s", a.name, packageVersion, err, bytes.TrimSpace(stderr.Bytes()))
	}
	lines := strings.Fields(string(out))
	if len(lines) == 0 {
		return "", fmt.Errorf("npm pack %s@%s: named no file", a.name, packageVersion)
	}
	return filepath.Join(work, filepath.Base(lines[len(lines)-1])), nil
}

func verify(tarball, want string) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("checksum of the package: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("checksum of the package is %s, want %s: it is not the package that this program was tested with",
			got, want)
	}
	return nil
}

// extract copies only the library out of the tarball.
func extract(ctx context.Context, tarball, target string, size int64, progress func(done, total int64)) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("unpack: no %s in the package", libraryName)
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if path.Base(h.Name) != libraryName || h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size != size {
			return fmt.Errorf("unpack: %s has %d bytes, want %d", libraryName, h.Size, size)
		}
		return write(ctx, r, target, size, progress)
	}
}

func write(ctx context.Context, r io.Reader, target string, size int64, progress func(done, total int64)) error {
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	buf := make([]byte, 1<<20)
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size-done)])
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
		done += int64(n)
		if progress != nil {
			progress(done, size)
		}
	}
	// The rename must not become durable before the bytes.
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}
