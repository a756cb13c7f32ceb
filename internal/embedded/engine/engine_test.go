package engine

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLocate(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv(EnvLibrary, "")
	_, err := Locate()
	require.ErrorIs(t, err, ErrNotFetched)
	require.ErrorContains(t, err, "make engine")

	dir := filepath.Join(cache, "orderledger", "engine", packageVersion)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	want := filepath.Join(dir, libraryName)
	require.NoError(t, os.WriteFile(want, nil, 0o644))
	got, err := Locate()
	require.NoError(t, err)
	require.Equal(t, want, got)

	t.Setenv(EnvLibrary, filepath.Join(cache, "nothing"))
	_, err = Locate()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, ErrNotFetched)
	require.ErrorContains(t, err, EnvLibrary)
	t.Setenv(EnvLibrary, cache)
	_, err = Locate()
	require.ErrorContains(t, err, "is not a file")
}

// fakeNpm puts an npm on the path that packs the given files and counts its calls. It replaces the package of the
// platform by the one that it packs.
func fakeNpm(t *testing.T, files map[string]string) (calls func() int) {
	t.Helper()
	dir := t.TempDir()
	tarball := filepath.Join(dir, "package.tgz")
	f, err := os.Create(tarball)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for name, content := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "package/" + name, Size: int64(len(content)), Mode: 0o755, Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	b, err := os.ReadFile(tarball)
	require.NoError(t, err)
	sum := sha256.Sum256(b)
	count := filepath.Join(dir, "calls")
	script := fmt.Sprintf("#!/bin/sh\necho call >>%s\ncp %s package-1.tgz\necho package-1.tgz\n", count, tarball)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv(EnvLibrary, "")
	before, had := archives[platform()]
	archives[platform()] = archive{name: "package", sha256: hex.EncodeToString(sum[:]), size: int64(len(files[libraryName]))}
	t.Cleanup(func() {
		delete(archives, platform())
		if had {
			archives[platform()] = before
		}
	})
	return func() int {
		b, _ := os.ReadFile(count)
		return strings.Count(string(b), "call")
	}
}

func TestFetchCachesTheLibraryOnce(t *testing.T) { //nolint:paralleltest // It changes what the others share.
	content := strings.Repeat("engine", 1<<19)
	calls := fakeNpm(t, map[string]string{"index.js": "x", libraryName: content})
	dir, err := cacheDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "fetch-killed", "npm"), 0o755))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Fetch(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	path, err := Locate()
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(b))
	require.Equal(t, 1, calls())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing else is left")
}

func TestFetchReportsProgress(t *testing.T) { //nolint:paralleltest // It changes what the others share.
	content := strings.Repeat("engine", 1<<19)
	fakeNpm(t, map[string]string{libraryName: content})
	var last int64
	_, err := Fetch(t.Context(), func(done, total int64) {
		require.Greater(t, done, last)
		require.Equal(t, int64(len(content)), total)
		last = done
	})
	require.NoError(t, err)
	require.Equal(t, int64(len(content)), last)
}

func TestFetchInterrupted(t *testing.T) {
	fakeNpm(t, map[string]string{libraryName: "engine"})
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	script := "#!/bin/sh\necho >" + started + "\nexec sleep 60\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			runtime.Gosched()
		}
	}()
	_, err := Fetch(ctx, nil)
	require.ErrorIs(t, err, context.Canceled, "not that npm was killed")
	_, err = Locate()
	require.ErrorIs(t, err, ErrNotFetched)
}

func TestFetchRefusesAnotherPackage(t *testing.T) {
	fakeNpm(t, map[string]string{libraryName: "engine"})
	good := archives[platform()]
	refused := func(a archive, text string) {
		t.Helper()
		archives[platform()] = a
		_, err := Fetch(t.Context(), nil)
		require.ErrorContains(t, err, text)
		_, err = Locate()
		require.ErrorIs(t, err, ErrNotFetched)
		dir, err := cacheDir()
		require.NoError(t, err)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	bad := good
	bad.sha256 = strings.Repeat("0", 64)
	refused(bad, "checksum")
	bad = good
	bad.size++
	refused(bad, "has "+strconv.FormatInt(good.size, 10)+" bytes")
	delete(archives, platform())
	_, err := Fetch(t.Context(), nil)
	require.ErrorContains(t, err, "no verified package for "+platform())
	archives[platform()] = good
	t.Setenv("PATH", t.TempDir())
	_, err = Fetch(t.Context(), nil)
	require.ErrorContains(t, err, "npm is not installed")
	require.ErrorContains(t, err, EnvLibrary)
}

func TestErrorHasTheCode(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]int{
		"Code: 60. DB::Exception: no table": 60, "x Code: 7": 7, "nothing": codeUnknown, "Code: x": codeUnknown,
	} {
		require.Equal(t, code, newError(text).Code)
		require.Equal(t, text, newError(text).Error())
	}
}

func TestEngineAnswersQueries(t *testing.T) { //nolint:paralleltest // It changes what the others share.
	path, err := Locate()
	if err != nil {
		t.Skip(err)
	}
	lib, err := Open(path)
	require.NoError(t, err)
	if os.Getenv(EnvLibrary) == "" {
		require.Equal(t, Version, lib.Version(), "the library names itself as we do")
	}
	again, err := Open(path)
	require.NoError(t, err)
	require.Same(t, lib, again)
	_, err = Open(path + ".other")
	require.ErrorContains(t, err, "already loaded")

	conn, err := lib.Connect(t.TempDir())
	require.NoError(t, err)
	_, err = lib.Connect(t.TempDir())
	require.ErrorIs(t, err, ErrOtherFolder)
	res, err := conn.Query("SELECT {a:UInt8} + {b:UInt8}, {s:String}", "TSVRaw", Param{"a", "1"}, Param{"b", "2"}, Param{"s", ""})
	require.NoError(t, err)
	require.Equal(t, "3\t\n", string(res.Bytes()))
	res.Close()
	res.Close()
	var e *Error
	require.ErrorAs(t, conn.Exec("SELECT {a:UInt8}"), &e)
	require.Equal(t, 456, e.Code)

	stream, err := conn.Stream("SELECT number FROM numbers({n:UInt64})", "TSV", Param{"n", "200000"})
	require.NoError(t, err)
	lines := 0
	for {
		piece, err := stream.Next()
		require.NoError(t, err)
		if piece == nil {
			break
		}
		lines += strings.Count(string(piece.Bytes()), "\n")
		piece.Close()
	}
	stream.Close()
	require.Equal(t, 200_000, lines)
	half, err := conn.Stream("SELECT number FROM system.numbers", "TSV")
	require.NoError(t, err)
	half.Close()
	require.NoError(t, conn.Exec("SELECT 1"), "the connection works after an abandoned stream")
	conn.Close()
	conn.Close()
	require.ErrorIs(t, conn.Exec("SELECT 1"), errClosed)
}
