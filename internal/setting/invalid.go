package setting

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// InvalidError is a problem with the value of a variable, or of the flag that stands for it.
type InvalidError struct {
	// Name of the variable or the flag, by which the operator knows the value.
	Name string
	// Problem is what is wrong with the value, and which values are valid.
	Problem error
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Name + ": " + e.Problem.Error() }

// Unwrap returns the problem.
func (e *InvalidError) Unwrap() error { return e.Problem }

// Invalid returns a problem with a variable. The format may wrap an error with %w.
func Invalid(name, format string, args ...any) error {
	return &InvalidError{Name: name, Problem: fmt.Errorf(format, args...)}
}

// Renamed returns the problem with the name of a flag in place of that of a variable: a value that came from a flag
// must be corrected there. It renames all problems that errors.Join joined.
func Renamed(err error, variable, flag string) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems []error
		for _, one := range joined.Unwrap() {
			problems = append(problems, Renamed(one, variable, flag))
		}
		return errors.Join(problems...)
	}
	if invalid := (*InvalidError)(nil); errors.As(err, &invalid) && invalid.Name == variable {
		return &InvalidError{Name: flag, Problem: invalid.Problem}
	}
	return err
}

// CheckServer returns what is wrong with the address of a server, if anything is.
func CheckServer(addr string) error { return checkAddress(addr, 1) }

// CheckListener returns what is wrong with the address of a listener, if anything is. Port 0 takes a free one.
func CheckListener(addr string) error { return checkAddress(addr, 0) }

func checkAddress(addr string, least uint64) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || host == "" && least > 0 {
		return fmt.Errorf("%q: want host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < least {
		return fmt.Errorf("%q: port %s is not between %d and 65535", addr, port, least)
	}
	return nil
}
