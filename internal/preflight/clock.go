package preflight

import (
	"fmt"
	"time"
)

// MaxClockSkew is the largest allowed difference between the clocks of this machine and a server when a program starts.
// Beyond it, inputs would be decided as of a wrong time, and instances would refuse each other's calls.
const MaxClockSkew = time.Minute

// Clock returns the finding for a server whose clock is ahead of this machine's by a duration that is known up to the
// uncertainty.
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
