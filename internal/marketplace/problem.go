package marketplace

import (
	"fmt"
	"strconv"
)

// Problem is a permanent name for why a body can't be read.
type Problem string

// Why a body can't be read.
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

// ProblemError says that a body can't be read, and where.
type ProblemError struct {
	Problem Problem
	// Path leads to the place, such as attributes.orderItems[0].quantity; empty means the body as a whole.
	Path string
	// Offset is the byte offset of the place in the body.
	Offset int
	// Detail is a sentence for people.
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
