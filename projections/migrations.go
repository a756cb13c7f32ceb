package projections

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Version numbers the code that makes the rows. It is part of the token that identifies an insert, so that ClickHouse
// does not drop rows of new code as repetitions of the old ones. Raise it with any change of a state row.
const Version = 2

// Migrations returns the SQL of all tables and views as files named by number and subject, to be applied once each in
// the order of their names. A released file never changes; a change is a new file. Every statement may be run again
// without harm.
//
// fs.ReadFile returns a file with its views written out, see [expand]; Open returns it as it is in the repository.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err == nil {
		sub, err = expand(sub)
	}
	if err != nil {
		panic(err) // The files are part of the binary, and every test that touches a table reads them.
	}
	return sub
}

// expanded is a set of migrations with their views written out.
type expanded struct {
	fs.FS
	text map[string]string
}

// ReadFile implements fs.ReadFileFS.
func (e expanded) ReadFile(name string) ([]byte, error) {
	text, ok := e.text[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

// expand writes out the views of migrations, so that a column of a view is described once, in its table. ClickHouse
// itself does not copy the comment of a column from a table to a view.
//
// In place of a view's column list a file says {{columns TABLE}}, and in place of the names to select {{names TABLE}};
// "except NAME" in either leaves a column out. The columns are those of the table after all files up to this one.
func expand(files fs.FS) (fs.FS, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	text := map[string]string{}
	known := tables{}
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		known.read(string(b))
		if text[name], err = known.expand(name, string(b)); err != nil {
			return nil, err
		}
	}
	return expanded{files, text}, nil
}
