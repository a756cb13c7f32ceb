package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// ErrOtherFolder says that this process already has another data folder open.
var ErrOtherFolder = errors.New("the engine keeps one data folder per process")

// Library is the loaded engine. It is safe for concurrent use.
type Library struct {
	path string
	api

	mu     sync.Mutex
	folder string // of the storage of this process, "" before the first connection
	open   int    // connections to folder
}

// Signatures of the C API that several functions share.
type (
	queryFunc func(
		conn, sql unsafe.Pointer, n uintptr, format unsafe.Pointer, fn uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr,
	) unsafe.Pointer
	countFunc func(result unsafe.Pointer) uint64
)

// api is the C API of the engine: one field for each function that is called, so its length follows from the API.
type api struct {
	version           func() string
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)
	query, stream     queryFunc
	fetch             func(conn, result unsafe.Pointer) unsafe.Pointer
	cancel            func(conn, result unsafe.Pointer)
	destroy           func(result unsafe.Pointer)
	buffer            func(result unsafe.Pointer) unsafe.Pointer
	length            func(result unsafe.Pointer) uintptr
	errorText         func(result unsafe.Pointer) string

	rowsRead, bytesRead, rowsWritten, bytesWritten countFunc
}

// loaded is the library of this process: its state is global in C, so two copies would share it.
var loaded struct { //nolint:gochecknoglobals // A table, or set once.
	sync.Mutex
	library *Library
}

// Open loads the library at path. The first call of a process loads it for good; later calls return the same library,
// or an error when they name another file.
func Open(path string) (*Library, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("load the engine %s: %w", path, err)
	}
	loaded.Lock()
	defer loaded.Unlock()
	if l := loaded.library; l != nil {
		if l.path != abs {
			return nil, fmt.Errorf("load the engine %s: this process already loaded %s", abs, l.path)
		}
		return l, nil
	}
	// Lazy and local: the library is large and exports many symbols besides its C API.
	handle, err := purego.Dlopen(abs, purego.RTLD_LAZY|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine %s: %w", abs, err)
	}
	l := &Library{path: abs}
	for name, fn := range l.symbols() {
		addr, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("load the engine %s: it is not libchdb %s: %w", abs, Version, err)
		}
		purego.RegisterFunc(fn, addr)
	}
	// Before every other call: the Go runtime needs its signal handlers for preemption and faults.
	l.setSignalHandlers(0)
	loaded.library = l
	return l, nil
}

func (a *api) symbols() map[string]any {
	return map[string]any{
		"chdb_version":                     &a.version,
		"chdb_set_signal_handlers_enabled": &a.setSignalHandlers,
		"chdb_connect":                     &a.connect,
		"chdb_close_conn":                  &a.closeConn,
		"chdb_query_with_params_n":         &a.query,
		"chdb_stream_query_with_params_n":  &a.stream,
		"chdb_stream_fetch_result":         &a.fetch,
		"chdb_stream_cancel_query":         &a.cancel,
		"chdb_destroy_query_result":        &a.destroy,
		"chdb_result_buffer":               &a.buffer,
		"chdb_result_length":               &a.length,
		"chdb_result_error":                &a.errorText,
		"chdb_result_storage_rows_read":    &a.rowsRead,
		"chdb_result_storage_bytes_read":   &a.bytesRead,
		"chdb_result_rows_written":         &a.rowsWritten,
		"chdb_result_bytes_written":        &a.bytesWritten,
	}
}

// Version returns the library's version, such as "26.7.3".
func (l *Library) Version() string { return l.version() }

// claim counts a connection to a folder, or returns an error when the process uses another folder.
func (l *Library) claim(folder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open > 0 && l.folder != folder {
		return fmt.Errorf("open %s: %w, and this one has %s", folder, ErrOtherFolder, l.folder)
	}
	l.folder = folder
	l.open++
	return nil
}

func (l *Library) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}
