//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

func space(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Space{}, err
	}
	size := int64(st.Bsize) //nolint:unconvert,nolintlint // Of another type on other systems.
	return Space{Free: int64(st.Bavail) * size, Total: int64(st.Blocks) * size}, nil
}
