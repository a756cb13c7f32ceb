package engine

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// ErrOtherFolder says that this process already has a storage open in another folder.
var ErrOtherFolder = errors.New("the engine keeps one data folder per process")

// Library is the loaded engine. It is safe for concurrent use.
type Library struct {
	path string

	version           func() string
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)
	query             func(conn, sql unsafe.Pointer, n uintptr, format unsafe.Pointer, fn uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	stream            func(conn, sql unsafe.Pointer, n uintptr, format unsafe.Pointer, fn uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	fetch             func(conn, result unsafe.Pointer) unsafe.Pointer
	cancel            func(conn, result unsafe.Pointer)
	destroy           func(result unsafe.Pointer)
	buffer            func(result unsafe.Pointer) unsafe.Pointer
	length            func(result unsafe.Pointer) uintptr
	errorText         func(result unsafe.Pointer) string
	rowsRead          func(result unsafe.Pointer) uint64
	bytesRead         func(result unsafe.Pointer) uint64
	rowsWritten       func(result unsafe.Pointer) uint64
	bytesWritten      func(result unsafe.Pointer) uint64

	mu     sync.Mutex
	folder string // of the storage this process has, "" before the first connection
	open   int    // connections that count on folder
}

// loaded is the one library of this process: its state is global in C, so a second copy would not be one.
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
	// Lazy and local: the library is large and exports much besides its C API.
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
	// Before anything else: the Go runtime needs its signal handlers for preemption and faults.
	l.setSignalHandlers(0)
	loaded.library = l
	return l, nil
}

func (l *Library) symbols() map[string]any {
	return map[string]any{
		"chdb_version":                     &l.version,
		"chdb_set_signal_handlers_enabled": &l.setSignalHandlers,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_query_with_params_n":         &l.query,
		"chdb_stream_query_with_params_n":  &l.stream,
		"chdb_stream_fetch_result":         &l.fetch,
		"chdb_stream_cancel_query":         &l.cancel,
		"chdb_destroy_query_result":        &l.destroy,
		"chdb_result_buffer":               &l.buffer,
		"chdb_result_length":               &l.length,
		"chdb_result_error":                &l.errorText,
		"chdb_result_storage_rows_read":    &l.rowsRead,
		"chdb_result_storage_bytes_read":   &l.bytesRead,
		"chdb_result_rows_written":         &l.rowsWritten,
		"chdb_result_bytes_written":        &l.bytesWritten,
	}
}

// Version returns the library's version, such as "26.7.3".
func (l *Library) Version() string { return l.version() }

// claim ties the process to a folder, or says which other one it is tied to.
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
