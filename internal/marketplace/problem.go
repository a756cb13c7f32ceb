package marketplace

import (
	"fmt"
	"strconv"
)

// Problem is a permanent code for the reason why a body is malformed.
type Problem string

// The problems.
const (
	ProblemNotJSON   Problem = "not_json"
	ProblemUTF8      Problem = "invalid_utf8"
	ProblemType      Problem = "wrong_type"
	ProblemMissing   Problem = "missing_member"
	ProblemDuplicate Problem = "duplicate_member"
	ProblemTooDeep   Problem = "too_deep"
	ProblemTime      Problem = "not_a_time"
	ProblemTooMany   Problem = "too_many_items"
	ProblemEmpty     Problem = "no_items"
)

// ProblemError is the reason why a body is malformed, with the place.
type ProblemError struct {
	Problem Problem
	// Path is the path of the value, such as attributes.orderItems[0].quantity; empty means the body as a whole.
	Path string
	// Offset is the byte offset of the place in the body.
	Offset int
	// Detail describes the problem for people.
	Detail string
}

// Error implements error.
func (e *ProblemError) Error() string {
	where := "offset " + strconv.Itoa(e.Offset)
	if e.Path != "" {
		where = e.Path + " (" + where + ")"
	}
	return fmt.Sprintf("%s at %s: %s", e.Problem, where, e.Detail)
}
