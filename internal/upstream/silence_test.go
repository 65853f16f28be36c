package upstream_test

import (
	"bytes"
	"durward"
	"durward/internal/upstream"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// notes keeps what is logged.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *notes) count(text string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Count(n.b.String(), text)
}

// A server that starts and never answers is said to, long before it is given
// up, and once.
func TestAnUpstreamThatNeverAnswersIsToldOf(t *testing.T) {
	t.Parallel()
	log := &notes{}
	s := newSet(t, func(o *upstream.Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Connect = 15 * time.Second
	}, durward.Upstream{Name: "mute", Command: os.Args[0], Args: []string{"server", "never answers"}, Era: "legacy"})
	const reason = "The upstream mute has not answered yet"
	told := func() bool {
		st, l := s.Status()[0], s.Listings()[0]
		return st.State == "connecting" && strings.Contains(st.Error, reason) && l.Err != nil && strings.Contains(l.Err.Error(), reason)
	}
	for deadline := time.Now().Add(time.Minute); !told(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the status is %+v and the listing's error %v, want the reason %q", s.Status()[0], s.Listings()[0].Err, reason)
		}
	}
	select {
	case <-s.Changed():
	default:
		t.Error("nobody was told of a change")
	}
	var again durward.UpstreamStatus
	for deadline := time.Now().Add(time.Minute); s.Listings()[0].Tried.IsZero() || again.State != "connecting"; again = s.Status()[0] {
		if time.Now().After(deadline) {
			t.Fatal("it was not given up and tried again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !strings.Contains(again.Error, "did not answer in time") {
		t.Errorf("while it is tried again the status says %q, want why it failed before", again.Error)
	}
	if n := log.count("upstream does not answer"); n != 1 {
		t.Errorf("it was logged %d times, want once", n)
	}
}
