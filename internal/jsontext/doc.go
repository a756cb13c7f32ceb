// Package jsontext writes strings as JSON for the writers that append JSON by hand, without reflection, because every
// event of the ledger passes through them.
//
// Only what JSON requires is escaped: quotes, backslashes and control characters. HTML's characters stay as they are,
// and so do U+2028 and U+2029, unlike in encoding/json's default form. Bytes that are not UTF-8 become U+FFFD, one for
// each byte, as in encoding/json: the result is valid JSON for any input, and nothing here can fail.
//
// It does not write numbers, objects or times. Those differ from writer to writer: the ledger's readable form follows
// protojson, the suborder messages follow their receivers' contract.
package jsontext
