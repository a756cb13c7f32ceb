// Package console prints tables and titles for people: in a terminal within its width and in colour, into a pipe or a
// file whole and plain.
//
// It promises that no line of a table is longer than the terminal is wide, whatever the values: it leaves columns out
// that are marked so, then shortens the widest ones, each with "…". Into anything that is no terminal it writes full
// values. Control characters of values are escaped, because values come from outside, and a terminal acts on them.
//
// Colour follows the usual conventions, the first that applies: --no-color, NO_COLOR, CLICOLOR_FORCE, no terminal,
// TERM=dumb, CLICOLOR=0.
//
// What must not be shortened, such as a query that somebody copies, is wrapped between words.
//
// It does not page, or follow a terminal that changes its width within a table.
package console
