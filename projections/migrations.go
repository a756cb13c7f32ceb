package projections

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the SQL of all tables and views as files named by number and subject, to be applied once each in
// the order of their names. A file that was released is never changed; a change is a new file. Every statement may be
// run again without harm.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // The folder is part of the binary.
	}
	return sub
}

// Version numbers the code that makes the rows. It is part of the token by which an insert is known again, so that rows
// that another version of the code made are not taken for the same ones. Raise it with any change of a state row.
const Version = 1
