// Package deadletter defines the record of a dead letter: a copy of a record that no program could read, with its
// position and the reason.
//
// # What it promises
//
// [Letter.Record] makes a record of orders.deadletters.v1 of a [Letter], and [Parse] reads it back. A letter keeps the
// key, the value and the headers of the original unchanged, so that a redrive writes exactly the same bytes. The key of
// the letter is the position of the original, topic/partition/offset. A program that writes a letter again after a
// crash uses the same key, so readers can drop the repeat.
//
// # What it does not do
//
// It does not decide which records are unreadable, and it does not produce. The program that finds such a record writes
// the letter with its own client, and moves on only after the letter is stored.
//
// # How it fails
//
// Parse returns an error for a record that [Letter.Record] did not make.
package deadletter
