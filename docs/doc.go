// Package docs holds the rules for Prometheus, and no other code. Its tests compare the documents with the code: every
// test that a document or the Makefile names exists, the page about operating explains every alert, every term of the
// glossary occurs in the code, lines of prose are at most 120 characters long, and no file uses a word that
// testdata/words.txt replaces.
package docs
