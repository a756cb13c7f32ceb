package preflight

import (
	"fmt"
	"time"
)

// MaxClockSkew is how far this machine's clock may be from a server's. Beyond it, an owner of lanes with a right clock
// would refuse what one with a wrong clock recorded, or the broker would refuse the timestamps.
const MaxClockSkew = time.Minute

// Clock says what it means that a server's clock is ahead of this machine's by so much, as far as is known.
func Clock(server string, ahead, uncertainty time.Duration) Finding {
	const do = "synchronize the clocks (NTP) of this machine and of the servers"
	direction := "behind"
	off := ahead
	if ahead < 0 {
		direction, off = "ahead of", -ahead
	}
	seen := fmt.Sprintf("this machine is %s %s %s (± %s)",
		off.Round(time.Millisecond), direction, server, uncertainty.Round(time.Millisecond))
	switch sure := off - uncertainty; {
	case sure > MaxClockSkew:
		return Failure(do, "%s, more than %s", seen, MaxClockSkew)
	case sure > time.Second:
		return Warning(do, "%s", seen)
	}
	return Good("%s", seen)
}
