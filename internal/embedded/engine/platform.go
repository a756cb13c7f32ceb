package engine

import "runtime"

const (
	// Version is the version of the library package that is fetched. Data folders belong to its major.minor line, so
	// changing the line is a change for users.
	Version = "26.7.3-stable.1"

	// EnvLibrary names the environment variable that holds the path of a library to use as it is.
	EnvLibrary = "ORDERLEDGER_LIBCHDB"

	libraryName = "libchdb.so"
)

// archive is the published package for one platform.
type archive struct {
	name   string // package name without the version
	sha256 string // of the tarball
	size   int64  // of the library inside, in bytes
}

// archives lists the platforms whose package was fetched and checked. A platform that is missing can still run with a
// library of its own through EnvLibrary.
var archives = map[string]archive{ //nolint:gochecknoglobals // A table, or set once.
	"linux/amd64": {
		name:   "@chdb/lib-linux-x64-gnu",
		sha256: "c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad",
		size:   566330096,
	},
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
