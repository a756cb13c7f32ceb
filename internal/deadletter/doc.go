// Package deadletter is the form of a record that was set aside because nobody could read it: its bytes, where it was,
// and why.
//
// A [Letter] becomes a record of orders.deadletters.v1 by [Letter.Record] and is read again by [Parse]. It keeps key,
// value and headers of the original as they were, so that a redrive puts back exactly what was there. The key of the
// dead letter is the position of the original, topic/partition/offset: a program that sets a record aside again after a
// crash repeats the key, and readers keep one of each.
//
// It does not decide what is undecodable, and it does not produce: whoever sets a record aside does so with its own
// client, and goes on only when the letter is stored.
package deadletter
