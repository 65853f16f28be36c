package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"durward/internal/config"
	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// watched is a file under a watcher, in a bubble where time is the test's.
type watched struct {
	t   *testing.T
	dir string
	now chan os.Signal

	mu      sync.Mutex // guards what follows: time that passes synchronises nothing
	applied []string   // data of each configuration that was applied
	failed  []string
	refuse  error
}

func watch(t *testing.T, text string, story func(*watched)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, dir: dir, now: make(chan os.Signal)}
		w.write("durward.yaml", text)
		c, err := config.Load(filepath.Join(dir, "durward.yaml"), env(nil))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		watcher := &config.Watcher{
			Current: c, Options: env(nil), Now: w.now,
			Apply: func(_ context.Context, c *config.Config) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if w.refuse != nil {
					return w.refuse
				}
				w.applied = append(w.applied, filepath.Base(c.Data))
				return nil
			},
			Failed: func(err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.failed = append(w.failed, err.Error())
			},
		}
		go func() { ended <- watcher.Run(ctx) }()
		synctest.Wait()
		story(w)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// pass lets the watcher look some times.
func (w *watched) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *watched) want(applied string, failures int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.applied, " "); got != applied || len(w.failed) != failures {
		w.t.Errorf("applied %q and failed %q, want %q and %d failures", got, w.failed, applied, failures)
	}
}

func TestWatchSeesWritesAndRenames(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		w.pass(3 * time.Second)
		w.want("", 0)
		w.write("durward.yaml", "data: two")
		w.pass(1100 * time.Millisecond)
		w.want("two", 0)
		w.write("new", "data: three")
		if err := os.Rename(filepath.Join(w.dir, "new"), filepath.Join(w.dir, "durward.yaml")); err != nil {
			w.t.Fatal(err)
		}
		w.pass(1100 * time.Millisecond)
		w.want("two three", 0)
		w.write("durward.yaml", "data: three")
		w.pass(3 * time.Second)
		w.want("two three", 0)
	})
}

func TestWatchDoesNotReadHalfAFile(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		w.pass(100 * time.Millisecond)
		for _, part := range []string{"", "da", "data: tw", "data: two"} { // one for each look
			w.write("durward.yaml", part)
			w.pass(500 * time.Millisecond)
		}
		w.want("", 0)
		w.pass(500 * time.Millisecond)
		w.want("two", 0)
	})
}

func TestWatchTellsOfWhatCannotBeUsed(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		w.write("durward.yaml", "dta: two")
		w.pass(5 * time.Second)
		w.want("", 1)
		w.mu.Lock()
		if !strings.Contains(w.failed[0], "did you mean data?") {
			w.t.Errorf("failed = %q", w.failed)
		}
		w.mu.Unlock()
		if err := os.Remove(filepath.Join(w.dir, "durward.yaml")); err != nil {
			w.t.Fatal(err)
		}
		w.pass(5 * time.Second)
		w.want("", 2)
		w.write("durward.yaml", "data: three")
		w.pass(2 * time.Second)
		w.want("three", 2)
		w.mu.Lock()
		w.refuse = errors.New("does not compile")
		w.mu.Unlock()
		w.write("durward.yaml", "data: four")
		w.pass(5 * time.Second)
		w.want("three", 3)
	})
}

func TestWatchDoesNotTakeAnEmptyFileForAWish(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		for i, text := range []string{"", "# nothing left\n\n", "---\n", "\ufeff"} {
			w.write("durward.yaml", text)
			w.pass(5 * time.Second)
			w.want("", i+1)
		}
		w.mu.Lock()
		if !strings.Contains(w.failed[0], "durward.yaml: is empty") || !strings.Contains(w.failed[0], "write {}") {
			w.t.Errorf("failed = %q", w.failed[0])
		}
		w.mu.Unlock()
		w.write("durward.yaml", "{}")
		w.pass(2 * time.Second)
		w.want("durward-data", 4)
	})
	watch(t, "# nothing yet", func(w *watched) {
		w.write("durward.yaml", "# still nothing")
		w.pass(2 * time.Second)
		w.want("durward-data", 0)
	})
}

func TestWatchFollowsReferences(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		w.write("durward.yaml", "data: two\nagents: {a: {key: '${file:key}'}}")
		w.pass(2 * time.Second)
		w.want("", 1) // the key is not there yet
		w.write("key", "0123456789012345678901234x")
		w.pass(2 * time.Second)
		w.want("two", 1)
		w.write("key", "abcdefghijklmnopqrstuvwxyz")
		w.pass(2 * time.Second)
		w.want("two two", 1)
	})
}

func TestWatchLoadsAtOnceWhenAsked(t *testing.T) {
	watch(t, "data: one", func(w *watched) {
		w.now <- os.Interrupt
		synctest.Wait()
		w.want("one", 0)
		w.write("durward.yaml", "data: two")
		w.now <- os.Interrupt
		synctest.Wait()
		w.want("one two", 0)
		w.pass(3 * time.Second)
		w.want("one two", 0)
	})
}
