package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/audit"
)

func TestFilter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{SegmentBytes: 2 << 10})
	for i := range 20 {
		r := numbered(i + 1)
		switch {
		case i%4 == 1:
			r.Agent, r.Verdict, r.Reason, r.Outcome = `odd "agent"`, "deny", durward.ReasonRuleDenies, durward.OutcomeRefused
		case i%4 == 2: // names what is searched for, but only in its arguments
			r.Agent, r.User, r.Args = "other", "ann", json.RawMessage(`{"x":0,"agent":"odd \"agent\"","verdict":"deny","outcome":"refused","key":"k_7f3a9c"}`)
			r.Key = ""
		case i%4 == 3:
			r.Agent, r.Args = "", json.RawMessage(`{"x":0,"agent":"other"}`)
		}
		put(t, l, r, audit.Written)
	}
	shut(t, l)
	every := func(from, step int) (all []string) {
		for i := from; i <= 20; i += step {
			all = append(all, fmt.Sprintf("call-%d", i))
		}
		return all
	}
	for name, c := range map[string]struct {
		f    audit.Filter
		want []string
	}{
		"all":             {audit.Filter{}, callIDs(1, 20)},
		"agent":           {audit.Filter{Agent: `odd "agent"`}, every(2, 4)},
		"agent not args":  {audit.Filter{Agent: "other"}, every(3, 4)},
		"part of a name":  {audit.Filter{Agent: "oth"}, nil},
		"key not in args": {audit.Filter{Key: "k_7f3a9c", Agent: "other"}, nil},
		"verdict":         {audit.Filter{Verdict: "deny", Outcome: "refused", Reason: "rule_denies"}, every(2, 4)},
		"user":            {audit.Filter{User: "ann"}, every(3, 4)},
		"several":         {audit.Filter{Upstream: "crm", Tool: "find_customer", Method: "tools/call", Session: numbered(1).Session, Agent: "support-bot"}, every(1, 4)},
		"id":              {audit.Filter{ID: "call-7"}, []string{"call-7"}},
		"since":           {audit.Filter{Since: numbered(18).Time}, callIDs(18, 20)},
		"until":           {audit.Filter{Until: numbered(3).Time}, callIDs(1, 2)},
		"between, abroad": {audit.Filter{Since: numbered(3).Time.In(time.FixedZone("", 3600)), Until: numbered(5).Time}, callIDs(3, 4)},
		"after":           {audit.Filter{After: 17}, callIDs(18, 20)},
		"after the end":   {audit.Filter{After: 20}, nil},
	} {
		if got := ids(t, dir, c.f); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestExportIsTheLogItself(t *testing.T) {
	dir := logOf(t, 30, audit.Options{SegmentBytes: 4 << 10})
	var want, got bytes.Buffer
	for _, s := range segments(t, dir) {
		want.Write(read(t, s))
	}
	if err := audit.Export(t.Context(), dir, audit.Filter{}, &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("Export = %d bytes, want the %d of the segments", got.Len(), want.Len())
	}
}

func TestExportGoesOnBehindABrokenLineAndSaysSo(t *testing.T) {
	dir := logOf(t, 5, audit.Options{})
	l := linesOf(t, dir)
	write(t, segments(t, dir)[0], append(join(l[:2], [][]byte{[]byte("garbage\n")}, l[3:]), `{"seq":6,"time`...))
	var out bytes.Buffer
	err := audit.Export(t.Context(), dir, audit.Filter{}, &out)
	var f *audit.Fault
	if !errors.As(err, &f) || f.Line != 3 || f.Offset != int64(len(join(l[:2]))) {
		t.Errorf("Export = %v, want line 3", err)
	}
	if want := join(l[:2], l[3:]); !bytes.Equal(out.Bytes(), want) {
		t.Errorf("Export left out more than the broken line: %s", out.Bytes())
	}
}

func TestExportReportsItsWriterAndItsContext(t *testing.T) {
	dir := logOf(t, 5, audit.Options{})
	broken := errors.New("pipe is closed")
	if err := audit.Export(t.Context(), dir, audit.Filter{}, writerFunc(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("Export = %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := audit.Export(ctx, dir, audit.Filter{}, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Export with an ended context = %v", err)
	}
	if err := audit.Export(t.Context(), filepath.Join(dir, "none"), audit.Filter{}, &bytes.Buffer{}); err == nil {
		t.Error("Export of no folder succeeded")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestTail(t *testing.T) {
	dir := logOf(t, 30, audit.Options{SegmentBytes: 4 << 10})
	for n, want := range map[int][]string{0: nil, 1: callIDs(30, 30), 5: callIDs(26, 30), 17: callIDs(14, 30), 30: callIDs(1, 30), 99: callIDs(1, 30), -1: nil} {
		if got := tailed(t, dir, audit.TailOptions{N: n}); !slices.Equal(got, want) {
			t.Errorf("Tail(%d) = %v, want %v", n, got, want)
		}
	}
	if got := tailed(t, dir, audit.TailOptions{N: 2, Filter: audit.Filter{Until: numbered(9).Time}}); !slices.Equal(got, callIDs(7, 8)) {
		t.Errorf("Tail with a filter = %v", got)
	}
	if got := tailed(t, t.TempDir(), audit.TailOptions{N: 2}); got != nil {
		t.Errorf("Tail of an empty folder = %v", got)
	}
}

func tailed(t *testing.T, dir string, o audit.TailOptions) (all []string) {
	t.Helper()
	for e, err := range audit.Tail(t.Context(), dir, o) {
		if err != nil {
			t.Fatalf("Tail: %v", err)
		}
		r, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.ID)
	}
	return all
}

// TestTailFollowsAWriter follows through rotations and from before the first segment.
func TestTailFollowsAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := make(chan string, 100)
		go func() {
			defer close(got)
			for e, err := range audit.Tail(ctx, dir, audit.TailOptions{N: 3, Follow: true, Filter: audit.Filter{Tool: "find_customer"}}) {
				if err != nil {
					t.Errorf("Tail: %v", err)
					return
				}
				r, err := e.Record()
				if err != nil {
					t.Error(err)
				}
				got <- r.ID
			}
		}()
		time.Sleep(time.Second)
		l := open(t, dir, audit.Options{SegmentBytes: 2 << 10})
		for i := range 20 {
			put(t, l, numbered(i+1), audit.Durable)
			time.Sleep(time.Duration(i%3) * 70 * time.Millisecond)
		}
		other := numbered(21)
		other.Tool = "delete_customer"
		put(t, l, other, audit.Durable)
		time.Sleep(time.Second)
		shut(t, l)
		l = open(t, dir, audit.Options{}) // another gateway takes over
		put(t, l, numbered(22), audit.Durable)
		time.Sleep(time.Second)
		shut(t, l)
		cancel()
		var all []string
		for id := range got {
			all = append(all, id)
		}
		if want := append(callIDs(1, 20), "call-22"); !slices.Equal(all, want) {
			t.Errorf("Tail gave %v, want %v", all, want)
		}
	})
}

// TestReadersWhileAGatewayWrites reads over and over; what is read is whole and
// in order, and only grows.
func TestReadersWhileAGatewayWrites(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{SegmentBytes: 16 << 10})
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		defer close(done)
		for i := range 6_000 { // more would make each reading longer, and show nothing new
			select {
			case <-stop:
				return
			default:
			}
			if err := l.Append(context.Background(), numbered(i), audit.Mode(i%3)); err != nil {
				done <- err
				return
			}
		}
	}()
	var before uint64
	for range 12 {
		rep := verify(t, dir)
		if rep.Records < before || rep.Records != rep.LastSeq {
			t.Fatalf("Verify = %+v after %d", rep, before)
		}
		before = rep.Records
		var out strings.Builder
		if err := audit.Export(t.Context(), dir, audit.Filter{}, &out); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); uint64(n) < before {
			t.Fatalf("Export gave %d records, Verify saw %d before", n, before)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	shut(t, l)
}
