package broker

import (
	"os"
	"strconv"
	"strings"
)

// memory returns how much memory this process may use, the machine's or its container's, whichever is less. It returns
// zero when neither is known.
func memory() int64 {
	total := int64(0)
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
				if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					total = kb << 10
				}
			}
		}
	}
	if limit, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		// "max" is not a number and means no limit.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil && (total == 0 || n < total) {
			total = n
		}
	}
	return total
}
