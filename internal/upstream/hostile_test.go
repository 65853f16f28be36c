package upstream_test

// serveHostile is a stdio server that does not behave.
func serveHostile(kind string, _ []string) int { _ = kind; return 1 }
