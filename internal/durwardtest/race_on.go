//go:build race

package durwardtest

// Raced says that the race detector is on: pools forget on purpose under it, so
// that bounds on allocations do not hold.
const Raced = true
