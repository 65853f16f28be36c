package upstream

// IDs mints as a set does.
func IDs() func() uint64 { return newIDs().next }
