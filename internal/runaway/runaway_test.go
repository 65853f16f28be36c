package runaway_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"durward"
	"durward/internal/runaway"
)

var (
	start = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	who   = runaway.Subject{Agent: "bot", Key: "k1"}
	ways  = durward.Runaway{Mode: durward.RunawayQuarantine, Window: time.Minute, SameCall: 10, Errors: 5, PingPong: 6, FanOut: 8, Spend: 100, Novel: 4 * time.Hour, Slow: time.Second}
)

// run makes n calls, one each step, and gives the signs.
func run(w *runaway.Watcher, s runaway.Subject, n int, step time.Duration, act func(i int) runaway.Act) (signs []runaway.Sign) {
	for i := range n {
		signs = append(signs, w.Begin(start.Add(time.Duration(i)*step), &ways, s, act(i)))
	}
	return signs
}

func of(w *runaway.Watcher, tool, args string) runaway.Act {
	return runaway.Act{Tool: tool, Print: w.Print(tool, []byte(args)), Cost: 0}
}

func TestPollingAtALeisurelyPaceIsNoSign(t *testing.T) {
	w := runaway.NewWatcher()
	for _, sign := range run(w, who, 5000, 7*time.Second, func(int) runaway.Act { return of(w, "crm__status", `{"job":1}`) }) {
		if sign.Step != runaway.Pass {
			t.Fatalf("polling every 7 s with a limit of 10 a minute: %+v", sign)
		}
	}
}

func TestTheSameCallGrowsStepByStep(t *testing.T) {
	w := runaway.NewWatcher()
	signs := run(w, who, 40, 10*time.Millisecond, func(int) runaway.Act { return of(w, "crm__get", `{"id":1}`) })
	for n, want := range map[int]runaway.Step{9: runaway.Pass, 10: runaway.Tell, 19: runaway.Tell, 20: runaway.Slow, 29: runaway.Slow, 30: runaway.Quarantine, 40: runaway.Quarantine} {
		if got := signs[n-1]; got.Step != want || (want != runaway.Pass && got.Signal != durward.SignalSameCall) {
			t.Errorf("call %d: %+v, want step %d", n, got, want)
		}
	}
	told := 0
	for _, s := range signs[:29] {
		if s.Crossed {
			told++
		}
	}
	if told != 2 || !signs[9].Crossed || !signs[19].Crossed {
		t.Errorf("told %d times on the way to 29, want at 10 and 20", told)
	}
	if d := signs[25].Delay; d <= 0 || d > ways.Slow {
		t.Errorf("delay %v, want at most %v", d, ways.Slow)
	}
	if s := w.Begin(start.Add(time.Hour), &ways, who, of(w, "crm__get", `{"id":1}`)); s.Step != runaway.Pass {
		t.Errorf("after an hour of quiet: %+v", s)
	}
}

func TestOtherArgumentsAreOtherCalls(t *testing.T) {
	w := runaway.NewWatcher()
	for i, sign := range run(w, who, 500, time.Millisecond, func(i int) runaway.Act { return of(w, "crm__get", fmt.Sprintf(`{"id":%d}`, i)) }) {
		if sign.Step != runaway.Pass {
			t.Fatalf("call %d of a batch: %+v", i, sign)
		}
	}
}

func TestErrorsInARow(t *testing.T) {
	w := runaway.NewWatcher()
	act := func(i int) runaway.Act { return of(w, "crm__add", fmt.Sprint(i)) }
	for i := range 5 {
		if s := w.Begin(start, &ways, who, act(i)); s.Step != runaway.Pass {
			t.Fatalf("before the limit: %+v", s)
		}
		w.End(start, &ways, who, true)
	}
	if s := w.Begin(start, &ways, who, act(9)); s.Signal != durward.SignalErrors || s.Step != runaway.Tell || !s.Crossed {
		t.Errorf("after 5 errors: %+v", s)
	}
	w.End(start, &ways, who, false)
	if s := w.Begin(start, &ways, who, act(10)); s.Step != runaway.Pass {
		t.Errorf("after a success: %+v", s)
	}
	for range 5 {
		w.End(start, &ways, who, true)
	}
	w.End(start.Add(time.Hour), &ways, who, true)
	if s := w.Begin(start.Add(time.Hour), &ways, who, act(11)); s.Step != runaway.Pass {
		t.Errorf("an error long after others is no row: %+v", s)
	}
}

func TestTwoCallsInTurns(t *testing.T) {
	w := runaway.NewWatcher()
	signs := run(w, who, 9, 5*time.Second, func(i int) runaway.Act { return of(w, "crm__"+string("ab"[i%2]), "{}") })
	if s := signs[8]; s.Signal != durward.SignalPingPong || s.Count != 7 {
		t.Errorf("after nine turns: %+v", s)
	}
	w = runaway.NewWatcher()
	for i, s := range run(w, who, 60, 5*time.Second, func(i int) runaway.Act { return of(w, "crm__"+string("ab"[i%2]), fmt.Sprint(i)) }) {
		if s.Step != runaway.Pass {
			t.Errorf("two tools in turns that go forward, call %d: %+v", i, s)
		}
	}
}

func TestFanOutSpendAndWhatComesOutOfTheBlue(t *testing.T) {
	w := runaway.NewWatcher()
	signs := run(w, who, 12, time.Second, func(i int) runaway.Act { return of(w, fmt.Sprintf("t__%d", i), "{}") })
	if s := signs[7]; s.Signal != durward.SignalFanOut || s.Count != 8 {
		t.Errorf("the eighth tool in a minute: %+v", s)
	}
	w = runaway.NewWatcher()
	for i, s := range run(w, who, 40, 20*time.Second, func(i int) runaway.Act { return of(w, fmt.Sprintf("t__%d", i), "{}") }) {
		if s.Step != runaway.Pass {
			t.Fatalf("a new tool every 20 s, call %d: %+v", i, s)
		}
	}
	w = runaway.NewWatcher()
	signs = run(w, who, 5, time.Second, func(i int) runaway.Act {
		return runaway.Act{Tool: "crm__buy", Print: w.Print("crm__buy", []byte(fmt.Sprint(i))), Cost: 30}
	})
	if s := signs[3]; s.Signal != durward.SignalSpend || !s.Crossed || signs[2].Step != runaway.Pass {
		t.Errorf("spending 30 a second with 100 a minute: %+v, %+v", signs[2], s)
	}
	w = runaway.NewWatcher()
	danger := of(w, "crm__wipe", "{}")
	danger.Dangerous = true
	if s := w.Begin(start, &ways, who, danger); s.Step != runaway.Pass {
		t.Errorf("at the beginning of its work: %+v", s)
	}
	_ = w.Begin(start.Add(3*time.Hour), &ways, who, of(w, "crm__get", "{}"))
	if s := w.Begin(start.Add(5*time.Hour), &ways, who, danger); s.Signal != durward.SignalNovel || s.Step != runaway.Hold {
		t.Errorf("after five hours without: %+v", s)
	}
	if s := w.Begin(start.Add(5*time.Hour+time.Minute), &ways, who, danger); s.Step != runaway.Pass {
		t.Errorf("again a minute later: %+v", s)
	}
}

func TestSessionsAreLookedAtApart(t *testing.T) {
	w := runaway.NewWatcher()
	for i := range 60 { // sixty sessions that all begin with the same call
		s := who
		s.Session = fmt.Sprintf("s%d", i)
		if sign := w.Begin(start, &ways, s, of(w, "crm__get", "{}")); sign.Step != runaway.Pass {
			t.Fatalf("session %d: %+v", i, sign)
		}
	}
}

func TestModesAreBounds(t *testing.T) {
	for mode, want := range map[string]runaway.Step{"off": runaway.Pass, "": runaway.Pass, "record": runaway.Record, "tell": runaway.Tell, "slow": runaway.Slow, "hold": runaway.Hold, "stop": runaway.Stop} {
		w := runaway.NewWatcher()
		p := ways
		p.Mode = mode
		var last runaway.Sign
		for range 100 {
			last = w.Begin(start, &p, who, of(w, "crm__get", "{}"))
		}
		if last.Step != want {
			t.Errorf("mode %s goes as far as %d, want %d", mode, last.Step, want)
		}
	}
}

func TestTrailsAreBounded(t *testing.T) {
	w := runaway.NewWatcher()
	for i := range 40_000 {
		s := runaway.Subject{Agent: "bot", Key: fmt.Sprintf("k%d", i)}
		w.Begin(start.Add(time.Duration(i)*time.Millisecond), &ways, s, of(w, "crm__get", "{}"))
	}
	if n := w.Len(); n > 10_000 {
		t.Errorf("%d trails", n)
	}
	w.Forget("bot")
	if n := w.Len(); n != 0 {
		t.Errorf("%d trails of an agent that was forgiven", n)
	}
}

func BenchmarkBegin(b *testing.B) {
	w := runaway.NewWatcher()
	p := ways
	p.Mode = durward.RunawayRecord
	args := make([]byte, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		args[0] = byte(i)
		s := w.Begin(start.Add(time.Duration(i)*time.Second), &p, who, runaway.Act{Tool: "crm__get", Print: w.Print("crm__get", args)})
		_ = s
		w.End(start.Add(time.Duration(i)*time.Second), &p, who, false)
	}
}

func TestPrint(t *testing.T) {
	w := runaway.NewWatcher()
	long := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	changed := func(at int) []byte {
		b := bytes.Clone(long)
		b[at] = '!'
		return b
	}
	same := w.Print("write", long)
	if got := w.Print("write", bytes.Clone(long)); got != same {
		t.Errorf("the same call has the prints %x and %x", same, got)
	}
	for name, other := range map[string]uint64{
		"another tool":  w.Print("read", long),
		"a shorter one": w.Print("write", long[:len(long)-16]),
		"another start": w.Print("write", changed(0)),
		"another end":   w.Print("write", changed(len(long)-1)),
	} {
		if other == same {
			t.Errorf("%s has the same print", name)
		}
	}
	short := []byte(`{"path":"a","offset":1}`)
	if w.Print("read", short) == w.Print("read", []byte(`{"path":"a","offset":2}`)) {
		t.Error("short arguments that differ in one byte have the same print")
	}
}
