package once_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/once"
)

// shelf keeps values in memory, and loses what comes after a crash.
type shelf struct {
	mu   sync.Mutex
	all  map[string][]byte
	dead bool
}

func newShelf() *shelf { return &shelf{all: map[string][]byte{}} }

func (s *shelf) Each(_ context.Context, fn func(string, []byte) error) error {
	for k, v := range maps.Clone(s.all) {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

var errDead = errors.New("the process is dead")

func (s *shelf) Put(_ context.Context, k string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errDead
	}
	s.all[k] = append([]byte(nil), v...)
	return nil
}

func (s *shelf) Delete(_ context.Context, keys ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.all, k)
	}
	return nil
}

// survivor is what the next process finds.
func (s *shelf) survivor() *shelf { return &shelf{all: maps.Clone(s.all)} }

func open(t *testing.T, s *shelf) *once.Ledger {
	t.Helper()
	l, err := once.Open(t.Context(), once.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ask(key string) once.Ask {
	return once.Ask{Key: key, Agent: "bot", Call: "c1", Args: "a", Mode: once.Always, Keep: time.Minute}
}

// TestNoCallIsMadeTwice issues calls again and again, kills the process at
// every point, and counts what was really made.
func TestNoCallIsMadeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(400) {
			rng := rand.New(rand.NewPCG(seed, 1))
			disk, made, told := newShelf(), map[string]int{}, map[string]string{}
			l := open(t, disk)
			for try := range 60 {
				key := fmt.Sprintf("k%d", rng.IntN(4))
				in := ask(key)
				in.Call = fmt.Sprintf("c%d", try)
				crash := rng.IntN(8) // a point at which the process may die; most are none
				c, reply, err := l.Claim(t.Context(), in)
				switch {
				case err != nil:
					if durward.AsError(err).Reason != durward.ReasonOutcomeUnknown {
						t.Fatalf("seed %d: Claim = %v", seed, err)
					}
					if told[key] != "" {
						t.Fatalf("seed %d: %s is unknown, but %q was told of it", seed, key, told[key])
					}
				case reply != nil:
					if want := fmt.Sprintf(`{"n":%q}`, key); string(reply.Result) != want {
						t.Fatalf("seed %d: the first result is %s, want %s", seed, reply.Result, want)
					}
				default:
					if crash == 0 {
						break
					}
					if err := c.Begin(t.Context()); err != nil {
						t.Fatal(err)
					}
					if crash == 1 {
						break
					}
					made[key]++
					if crash == 2 {
						break
					}
					c.Done(t.Context(), durward.Reply{Result: fmt.Appendf(nil, `{"n":%q}`, key), Modern: true}, true)
					told[key] = "the result"
				}
				if crash <= 3 {
					disk = disk.survivor()
					l = open(t, disk)
				}
				if rng.IntN(10) == 0 {
					l.Sweep(t.Context())
				}
			}
			for key, n := range made {
				if n > 1 {
					t.Fatalf("seed %d: %s was made %d times", seed, key, n)
				}
			}
		}
	})
}

func TestACallThatWasAnsweredMayBeRepeatedOnPurpose(t *testing.T) {
	l := open(t, newShelf())
	in := ask("k")
	in.Mode = once.Broken
	made := 0
	for range 3 {
		c, reply, err := l.Claim(t.Context(), in)
		if err != nil || reply != nil || c == nil {
			t.Fatalf("Claim = %v, %v, %v; want a claim", c, reply, err)
		}
		made++
		c.Done(t.Context(), durward.Reply{Result: []byte(`{}`)}, true)
		c.Delivered()
	}
	if made != 3 {
		t.Errorf("made %d times, want 3", made)
	}
}

func TestALostAnswerIsGivenAgain(t *testing.T) {
	l := open(t, newShelf())
	in := ask("k")
	in.Mode = once.Broken
	c, _, _ := l.Claim(t.Context(), in)
	c.Done(t.Context(), durward.Reply{Result: []byte(`{"first":1}`)}, true)
	c.Delivered()
	c.Lost() // the connection broke while it was written
	if _, reply, err := l.Claim(t.Context(), in); err != nil || reply == nil || string(reply.Result) != `{"first":1}` {
		t.Errorf("Claim = %v, %v, want the first result", reply, err)
	}
}

func TestACallThatIsIssuedAgainWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, newShelf())
		gone := false
		in := ask("k")
		in.Mode, in.Left = once.Broken, func() bool { return gone }
		first, _, _ := l.Claim(t.Context(), in)
		if c, reply, err := l.Claim(t.Context(), in); c != nil || reply != nil || err != nil {
			t.Fatalf("while the first caller is there, a like call is its own: %v, %v, %v", c, reply, err)
		}
		gone = true
		got := make(chan *durward.Reply)
		go func() {
			_, reply, _ := l.Claim(t.Context(), in)
			got <- reply
		}()
		synctest.Wait()
		first.Done(t.Context(), durward.Reply{Result: []byte(`{"n":1}`)}, true)
		if reply := <-got; reply == nil || string(reply.Result) != `{"n":1}` {
			t.Errorf("the second got %v, want the first result", reply)
		}
	})
}

func TestAKeyIsForOneCall(t *testing.T) {
	l := open(t, newShelf())
	c, _, _ := l.Claim(t.Context(), ask("k"))
	c.Done(t.Context(), durward.Reply{Result: []byte(`{}`)}, true)
	other := ask("k")
	other.Args = "b"
	if _, _, err := l.Claim(t.Context(), other); durward.AsError(err).Reason != durward.ReasonDuplicate {
		t.Errorf("other arguments: %v, want %s", err, durward.ReasonDuplicate)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	l := open(t, newShelf())
	var last error
	for i := range 3000 {
		_, _, last = l.Claim(t.Context(), ask(fmt.Sprint(i)))
	}
	if durward.AsError(last).Code != durward.Overloaded {
		t.Errorf("the 3000th claim of one agent: %v, want overloaded", last)
	}
	c, _, _ := l.Claim(t.Context(), once.Ask{Key: "big", Agent: "other", Call: "c", Mode: once.Always, Keep: time.Minute})
	c.Done(t.Context(), durward.Reply{Result: make([]byte, 1<<20)}, true)
	if _, reply, err := l.Claim(t.Context(), once.Ask{Key: "big", Agent: "other", Call: "d", Mode: once.Always, Keep: time.Minute}); reply != nil || durward.AsError(err).Reason != durward.ReasonDuplicate {
		t.Errorf("a result that was too large: %v, %v", reply, err)
	}
}
