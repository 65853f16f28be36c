// Package durwardtest is what the tests of the gateway stand on: a gateway in a
// box, peers to put before and behind it, and a recorder that validates each
// message it sees against the schema of its protocol revision.
//
// It promises that whatever it starts is gone when the test ends, and that a
// check which could not be made fails where CI=true, and otherwise skips the
// test with one line saying what is missing. Nothing in the product imports it.
package durwardtest
