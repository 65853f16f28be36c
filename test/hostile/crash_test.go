package hostile

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"durward/internal/durwardtest"
)

// Killed at any moment, under load, the gateway has lost no record of a call
// that it answered: each answered call with a side effect is in the export, the
// chain verifies, and the next start goes on where the last one broke off.
func TestKilledUnderLoad(t *testing.T) {
	b := newBox(t, "", "record: {arguments: full}\n")
	answered := &answers{}
	const rounds = 12
	for round := range rounds {
		stop := make(chan struct{})
		var callers sync.WaitGroup
		for caller := range 8 {
			callers.Go(func() { answered.load(t, b, fmt.Sprintf("%d-%d", round, caller), stop) })
		}
		b.WaitFor(t, "answering under load", func() bool { return len(answered.all()) >= (round+1)*answersEach })
		time.Sleep(time.Duration(37*round) * time.Millisecond) // another moment each time
		_ = b.Cmd.Process.Kill()
		<-b.Exited()
		close(stop)
		callers.Wait()
		b.accountFor(t, answered)
		b.Restart(t)
		b.goesOn(t)
	}
	t.Logf("%d calls were answered, each has its record", len(answered.all()))
	if stdout, stderr, code := b.Run(t, "audit", "verify", "--data", b.Data); code != 0 {
		t.Errorf("durward audit verify = %d: %s%s", code, stdout, stderr)
	}
}

// answersEach is how many calls are at least answered before each kill: less
// would be no load.
const answersEach = 20

// answers are the marks of the calls that were answered.
type answers struct {
	mu    sync.Mutex
	marks []string // guarded by mu
}

func (a *answers) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.marks...)
}

// load calls a tool with side effects until the gateway is gone.
func (a *answers) load(t *testing.T, b box, caller string, stop chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		mark := fmt.Sprintf("mark-%s-%d", caller, i)
		body, header := durwardtest.Modern("1", "tools/call", "good__slow", fmt.Sprintf(`{"name":"good__slow","arguments":{"text":%q}}`, mark))
		got, err := b.Try(t.Context(), body, header)
		if err != nil {
			return
		}
		if text, _ := got.Text(); text == mark {
			a.mu.Lock()
			a.marks = append(a.marks, mark)
			a.mu.Unlock()
		}
	}
}

// accountFor looks for each answered call in what a dead gateway left.
func (b box) accountFor(t *testing.T, a *answers) {
	t.Helper()
	kept := map[string]bool{}
	var last uint64
	for _, r := range b.Records(t) {
		if last != 0 && r.Seq != last+1 {
			t.Errorf("record %d follows record %d", r.Seq, last)
		}
		last = r.Seq
		var args struct{ Text string }
		if json.Unmarshal(r.Args, &args) == nil {
			kept[args.Text] = true
		}
	}
	lost := 0
	for _, mark := range a.all() {
		if !kept[mark] {
			lost++
		}
	}
	if lost > 0 {
		t.Fatalf("%d answered calls have no record", lost)
	}
}
