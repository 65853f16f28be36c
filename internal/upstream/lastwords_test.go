package upstream_test

import (
	"strings"
	"testing"

	"durward"
)

// Why a server cannot be started is said once, with what it said itself.
func TestTheLastWordsOfAProcess(t *testing.T) {
	for range 10 { // the end of its input may be noticed before its own
		s := newSet(t, nil, durward.Upstream{Name: "up", Command: "sh", Args: []string{"-c", "echo starting >&2; echo boom: no API key >&2; exit 7"}})
		_, err := s.Listing(brief(t), "up")
		if err == nil {
			t.Fatal("a server that ends at once was read")
		}
		for _, said := range []string{err.Error(), s.Status()[0].Error} {
			if strings.Count(said, "broke off") != 1 || strings.Count(said, "exit status 7") != 1 || strings.Count(said, "boom: no API key") != 1 || strings.Contains(said, "\n") {
				t.Fatalf("said %q, want once that it ended, how, and its last words", said)
			}
		}
		if message := durward.AsError(err).Message; strings.Contains(message, "boom") {
			t.Errorf("agents hear %q", message)
		}
	}
}
