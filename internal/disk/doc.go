// Package disk says whether a disk is full, and whether an error says so.
//
// It promises one answer for all programs: [Full] recognizes the errors of the system, of a quota, and a [FullError];
// [Check] finds out before a write fails. Each disk has a reserve, [Space.Reserve], which the programs leave free. A
// program that stops at the reserve can still end transactions, stop cleanly and log why it refuses work. One that
// meets the real end of the disk in the middle of a write can't.
//
// It frees nothing. Where the system does not report the space of a folder, no folder counts as full.
package disk
