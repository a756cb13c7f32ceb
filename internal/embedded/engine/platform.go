package engine

import "runtime"

const (
	// Version is the version of the pinned library, as it names itself and as everything that people read names it. (The
	// ClickHouse inside has a version of its own, which SELECT version() returns.) A data folder can be used by its
	// major.minor line only, so changing the line affects users.
	Version = "26.7.3"

	// packageVersion is the version of the package on npm, and of its folder in the cache: a package may be published anew
	// for the same library.
	packageVersion = Version + "-stable.1"

	// EnvLibrary is the environment variable with the path of a library to use instead of the fetched one.
	EnvLibrary = "ORDERLEDGER_LIBCHDB"

	libraryName = "libchdb.so"
)

// archive is the published package for one platform.
type archive struct {
	name   string // package name without the version
	sha256 string // of the tarball
	size   int64  // of the library inside, in bytes
}

// archives lists the platforms with a verified package. Other platforms can use a library through EnvLibrary.
var archives = map[string]archive{ //nolint:gochecknoglobals // A table, or set once.
	"linux/amd64": {
		name:   "@chdb/lib-linux-x64-gnu",
		sha256: "c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad",
		size:   566330096,
	},
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
