package clickhouse

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// spoolPrefix is the prefix of the files that hold large inserts.
const spoolPrefix = "insert-"

// spool collects the rows of one INSERT until the engine reads them as a file. Rows in the text of the statement do not
// work: the engine's parser takes an empty line for the end of inline data, even in a binary format. Nothing is
// inserted when the client disconnects before the end. Up to the limit the rows are in memory, where a crash leaves
// nothing behind; larger inserts move to a file.
type spool struct {
	tmp   string
	limit int64
	buf   []byte
	file  *os.File
	path  string // for the engine
	disk  bool
	size  int64 // written to the file
}

// spoolBuffer is how much is buffered before a write.
const spoolBuffer = 256 << 10

// Write appends to the spool.
func (s *spool) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if s.buf == nil {
			s.buf = make([]byte, 0, spoolBuffer)
		}
		k := copy(s.buf[len(s.buf):cap(s.buf)], b)
		s.buf = s.buf[:len(s.buf)+k]
		b = b[k:]
		if len(s.buf) == cap(s.buf) {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (s *spool) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	if !s.disk && s.size+int64(len(s.buf)) > s.limit {
		if err := s.toDisk(); err != nil {
			return err
		}
	}
	n, err := s.file.Write(s.buf)
	s.size += int64(n)
	s.buf = s.buf[:0]
	return err
}

func (s *spool) create() error {
	f, path, err := memoryFile()
	if err != nil {
		return s.onDisk()
	}
	s.file, s.path = f, path
	return nil
}

// toDisk moves the rows from memory to a file.
func (s *spool) toDisk() error {
	memory := s.file
	defer func() { _ = memory.Close() }()
	if err := s.onDisk(); err != nil {
		return err
	}
	if _, err := memory.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(s.file, memory)
	return err
}

func (s *spool) onDisk() error {
	f, err := os.CreateTemp(s.tmp, spoolPrefix+"*.native")
	if err != nil {
		return fmt.Errorf("spool an insert: %w", err)
	}
	path, err := filepath.Abs(f.Name())
	s.file, s.path, s.disk = f, path, true
	return err
}

// ready flushes the spool and returns its path for the engine.
func (s *spool) ready() (string, error) {
	if err := s.flush(); err != nil {
		return "", err
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return "", err
		}
	}
	return s.path, nil
}

// reset empties the spool for the next insert. The buffer stays.
func (s *spool) reset() {
	if s.file != nil {
		_ = s.file.Close()
		if s.disk {
			_ = os.Remove(s.path)
		}
	}
	s.file, s.path, s.disk, s.size, s.buf = nil, "", false, 0, s.buf[:0]
}
