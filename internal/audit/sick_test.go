package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/audit"
)

func openOn(t *testing.T, dir string, o audit.Options, d *badDisk) *audit.Log {
	t.Helper()
	l, err := audit.OpenOn(dir, o, d)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// recovered waits until the log can be written again.
func recovered(t *testing.T, l *audit.Log) {
	t.Helper()
	for range 60_000 {
		if l.Ready() == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the log did not recover: %v", l.Ready())
}

func wantUnavailable(t *testing.T, what string, err, cause error) {
	t.Helper()
	e := durward.AsError(err)
	if err == nil || e.Code != durward.Unavailable || e.Reason != durward.ReasonRecordUnavailable || !errors.Is(err, cause) {
		t.Errorf("%s = %v, want record_unavailable for %v", what, err, cause)
	}
	if err != nil && strings.Contains(e.Message, cause.Error()) {
		t.Errorf("%s tells the agent about our disk: %q", what, e.Message)
	}
}

// TestSickLog tells one story for all the ways in which a disk refuses.
func TestSickLog(t *testing.T) {
	for name, story := range map[string]struct {
		cause  error
		change func(*badDisk, bool)
	}{
		"disk full":  {syscall.ENOSPC, func(d *badDisk, ill bool) { d.full = ill }},
		"read only":  {syscall.EROFS, func(d *badDisk, ill bool) { d.readOnly = ill }},
		"sync fails": {syscall.EIO, func(d *badDisk, ill bool) { d.failing = map[bool]error{true: syscall.EIO}[ill] }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				dir, d := t.TempDir(), &badDisk{}
				l := openOn(t, dir, audit.Options{Log: slog.New(slog.NewTextHandler(&logged, nil))}, d)
				put(t, l, numbered(1), audit.Written) // safe from a kill, not yet durable

				d.set(func(d *badDisk) { story.change(d, true) })
				put(t, l, numbered(2), audit.Batched)
				wantUnavailable(t, "Append(Durable)", l.Append(t.Context(), numbered(100), audit.Durable), story.cause)
				wantUnavailable(t, "Append(Written)", l.Append(t.Context(), numbered(101), audit.Written), story.cause)
				put(t, l, numbered(3), audit.Batched)
				time.Sleep(10 * time.Second)
				if err := l.Ready(); !errors.Is(err, story.cause) {
					t.Errorf("Ready = %v, want %v", err, story.cause)
				}
				put(t, l, numbered(4), audit.Batched)

				d.set(func(d *badDisk) { story.change(d, false) })
				time.Sleep(6 * time.Second) // the longest back-off
				if err := l.Ready(); err != nil {
					t.Errorf("Ready after recovery = %v", err)
				}
				put(t, l, numbered(5), audit.Durable)
				shut(t, l)
				for _, want := range []string{"record cannot be written", "record can be written again"} {
					if !strings.Contains(logged.String(), want) {
						t.Errorf("log does not say %q", want)
					}
				}
			})
		})
	}
}

// TestNothingRefusedIsCountedAndNothingKeptIsLost looks at the log after a disk
// that refused for a while.
func TestNothingRefusedIsCountedAndNothingKeptIsLost(t *testing.T) {
	dir, d := t.TempDir(), &badDisk{}
	o := audit.Options{RetryMin: time.Millisecond, RetryMax: time.Millisecond}
	l := openOn(t, dir, o, d)
	put(t, l, numbered(1), audit.Written)
	for _, ill := range []func(*badDisk){
		func(d *badDisk) { d.full = true },
		func(d *badDisk) { d.failing = syscall.EIO },
		func(d *badDisk) { d.readOnly = true },
	} {
		d.set(ill)
		put(t, l, numbered(2), audit.Batched)
		if err := l.Append(t.Context(), numbered(100), audit.Durable); err == nil {
			t.Fatal("Append succeeded on a bad disk")
		}
		d.set(func(d *badDisk) { d.full, d.failing, d.readOnly = false, nil, false })
		recovered(t, l)
	}
	put(t, l, numbered(3), audit.Durable)
	shut(t, l)
	verify(t, dir)
	if got, want := ids(t, dir, audit.Filter{}), []string{"call-1", "call-2", "call-2", "call-2", "call-3"}; !slices.Equal(got, want) {
		t.Errorf("log holds %v, want %v", got, want)
	}
	if len(tornFiles(t, dir)) != 0 {
		t.Error("something half-written was left")
	}
}

func TestReadOnlyFolderIsRefusedAtOnce(t *testing.T) {
	_, err := audit.OpenOn(t.TempDir(), audit.Options{}, &badDisk{readOnly: true})
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("Open = %v, want a read-only file system", err)
	}
}

func TestSegmentRemovedUnderTheGateway(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{RetryMin: time.Millisecond})
	put(t, l, numbered(1), audit.Durable)
	first := segments(t, dir)[0]
	kept := read(t, first)
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	err := l.Append(t.Context(), numbered(2), audit.Durable)
	if err == nil || !strings.Contains(err.Error(), "removed or renamed") {
		t.Errorf("Append = %v, want to hear of the removal", err)
	}
	recovered(t, l)
	put(t, l, numbered(3), audit.Durable)
	shut(t, l)
	if f := fault(t, dir, audit.VerifyOptions{}); f.Kind != audit.FaultMissing {
		t.Errorf("Verify = %v, want a missing segment", f)
	}
	write(t, first, kept)
	if rep := verify(t, dir); rep.Records != 2 {
		t.Errorf("Verify with the segment put back = %+v", rep)
	}
}

func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &badDisk{slow: 8 * time.Second}
		l := openOn(t, t.TempDir(), audit.Options{QueueBytes: 4 << 10}, d)
		var wg sync.WaitGroup
		var done atomic.Int32
		for i := range 40 {
			wg.Go(func() {
				put(t, l, numbered(i), []audit.Mode{audit.Durable, audit.Batched}[i%2])
				done.Add(1)
			})
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if err := l.Ready(); err == nil || !strings.Contains(err.Error(), "not answered") {
			t.Errorf("Ready = %v, want to hear of the disk", err)
		}
		if n := done.Load(); n > 20 {
			t.Errorf("%d appends went through a queue that is full", n)
		}
		if err := appendFor(t, time.Second, l); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Append with a deadline = %v", err)
		}
		wg.Wait()
		shut(t, l)
		if l.Head().Seq < 40 {
			t.Errorf("Head = %+v, want all 40", l.Head())
		}
	})
}

func appendFor(t *testing.T, d time.Duration, l *audit.Log) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return l.Append(ctx, numbered(999), audit.Durable)
}

func TestCloseGivesUpOnADeadDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &badDisk{slow: time.Minute}
		l := openOn(t, t.TempDir(), audit.Options{}, d)
		put(t, l, numbered(1), audit.Batched)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want to give up", err)
		}
		shut(t, l)
	})
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	d := &badDisk{}
	l := openOn(t, t.TempDir(), audit.Options{RetryMin: time.Hour}, d)
	d.set(func(d *badDisk) { d.full = true })
	put(t, l, numbered(1), audit.Batched)
	put(t, l, numbered(2), audit.Batched)
	if err := l.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "2 batched records") {
		t.Errorf("Close = %v, want to hear of 2 records", err)
	}
}

func TestOneSyncServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &badDisk{slow: time.Millisecond}
		l := openOn(t, t.TempDir(), audit.Options{}, d)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() { put(t, l, numbered(i), audit.Durable) })
		}
		wg.Wait()
		if d.syncs > 5 {
			t.Errorf("%d syncs for 200 records that came together", d.syncs)
		}
		shut(t, l)
	})
}

// TestPowerLossAndBadDisk runs callers over a disk that fails at random, turns
// the power off at some moment and looks for what was acknowledged.
func TestPowerLossAndBadDisk(t *testing.T) {
	for seed := range uint64(powerLosses(t)) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		d := &badDisk{slow: time.Duration(rnd.IntN(300)) * time.Microsecond}
		dir, left := t.TempDir(), t.TempDir()
		l := openOn(t, dir, audit.Options{SegmentBytes: 16 << 10, RetryMin: time.Millisecond, RetryMax: time.Millisecond}, d)
		d.set(func(d *badDisk) { d.chaos = rand.New(rand.NewPCG(seed, 9)) })
		pace := time.Duration(1+rnd.IntN(40)) * 50 * time.Microsecond
		durable, written := appendMany(t, l, pace, func() {
			time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
			d.powerOff(t, rnd, left)
		})
		_ = l.Close(t.Context()) // without power
		shut(t, open(t, left, audit.Options{}))
		verify(t, left)
		contains(t, fmt.Sprintf("seed %d: after the power came back", seed), left, durable)
		shut(t, open(t, dir, audit.Options{})) // as after a kill: what was written is there
		verify(t, dir)
		contains(t, fmt.Sprintf("seed %d: after a kill", seed), dir, append(durable, written...))
	}
}

// powerLosses is how often the power goes off; more when the environment asks for it.
func powerLosses(t *testing.T) int {
	t.Helper()
	return rounds(t, 60, "DURWARD_AUDIT_POWER_ROUNDS")
}

// appendMany appends from several goroutines until stop has returned, and
// returns the ids that were acknowledged.
func appendMany(t *testing.T, l *audit.Log, pace time.Duration, stop func()) (durable, written []string) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var stopped atomic.Bool
	for g := range 9 {
		mode := []audit.Mode{audit.Durable, audit.Written, audit.Batched}[g%3]
		wg.Go(func() {
			for i := 0; !stopped.Load(); i++ {
				r := numbered(i)
				r.ID = fmt.Sprintf("%d-%d", g, i)
				if err := l.Append(t.Context(), r, mode); err != nil {
					time.Sleep(100 * time.Microsecond)
					continue
				}
				mu.Lock()
				switch mode {
				case audit.Durable:
					durable = append(durable, r.ID)
				case audit.Written:
					written = append(written, r.ID)
				}
				mu.Unlock()
				if mode == audit.Durable {
					time.Sleep(pace) // so that some groups need not be durable
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	stop()
	stopped.Store(true)
	wg.Wait()
	return durable, written
}

func contains(t *testing.T, what, dir string, want []string) {
	t.Helper()
	found := map[string]int{}
	for _, id := range ids(t, dir, audit.Filter{}) {
		found[id]++
		if found[id] > 1 {
			t.Fatalf("%s: %s is in the log %d times", what, id, found[id])
		}
	}
	for _, id := range want {
		if found[id] == 0 {
			t.Fatalf("%s: %s was acknowledged and is not in the log (%d of %d are)", what, id, len(found), len(want))
		}
	}
}

// TestCloseGivesUpOnADiskThatPromisesAndRefuses meets a disk that takes what a
// sick log tries first, but not the records.
func TestCloseGivesUpOnADiskThatPromisesAndRefuses(t *testing.T) {
	d := &badDisk{}
	l := openOn(t, t.TempDir(), audit.Options{RetryMin: time.Hour}, d)
	d.set(func(d *badDisk) { d.fullFor = ".jsonl" })
	put(t, l, numbered(1), audit.Batched)
	if err := l.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "1 batched record") {
		t.Errorf("Close = %v, want to hear of the record", err)
	}
}
