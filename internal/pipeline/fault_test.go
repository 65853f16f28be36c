package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/limit"
	"durward/internal/mcpwire"
	"durward/internal/pipeline"
	"durward/internal/session"
	"durward/internal/upstream"
)

// stepsOf are the steps of a call that is let through, in their order. A step
// that is new is tested with the others.
func stepsOf(t *testing.T) (steps []string) {
	t.Helper()
	f := newFaulty(t)
	f.Probe(func(step string) { steps = append(steps, step) })
	if _, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil); err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, must := range []string{"identify", "halted", "resolve", "permit", "inspect", "take", "judge", "enter", "pace", "consent", "record", "do", "conclude"} {
		i := slices.Index(steps, must)
		if i <= at {
			t.Fatalf("%s is not where it belongs in %q", must, steps)
		}
		at = i
	}
	return steps
}

// faulty is a house with a limit whose use can be seen, and a counter that can break.
type faulty struct {
	*house
	counter *brokenCounter
}

// brokenCounter fails or panics as told.
type brokenCounter struct {
	*limit.Memory
	take func() error
}

func (b *brokenCounter) Take(ctx context.Context, now time.Time, charges []limit.Charge) (*limit.Refusal, error) {
	if b.take != nil {
		if err := b.take(); err != nil {
			return nil, err
		}
	}
	return b.Memory.Take(ctx, now, charges)
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	h := newHouse(t)
	f := &faulty{house: h, counter: &brokenCounter{Memory: limit.NewMemory(limit.Options{})}}
	f.rebuild(t, f.counter)
	return f
}

// rebuild makes the gateway anew, with a counter and limits.
func (f *faulty) rebuild(t *testing.T, c limit.Counter) {
	t.Helper()
	var err error
	f.Gateway, err = pipeline.New(pipeline.Options{
		Log: slog.New(slog.DiscardHandler), Pepper: pepper, Upstreams: f.up, Records: f.ledger,
		Sessions: session.NewTable(session.Options{}), Server: []byte(`{"name":"durward","version":"test"}`), Counter: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load(f.snapshot()); err != nil {
		t.Fatal(err)
	}
}

func (f *faulty) snapshot() *durward.Snapshot {
	s := snapshotOf(f.house)
	s.Runaway.All = durward.Runaway{Mode: durward.RunawayRecord, Window: time.Minute, SameCall: 30, Errors: 15}
	s.Limits.Rules = []durward.Limit{
		{Name: "month", Unit: durward.UnitCalls, Most: 100, Calendar: durward.PerMonth, Per: []durward.Dimension{durward.PerAgent}},
		{Name: "at once", Unit: durward.UnitConcurrency, Most: 10},
	}
	return s
}

func isRefusal(result []byte) bool {
	meta, _ := mcpwire.Field(result, "_meta")
	refusal, ok := mcpwire.Field(meta, "durward/refusal")
	return ok && mcpwire.IsObject(refusal)
}

// used is how many calls the limit has counted, and how many are under way.
func (f *faulty) used() (calls, underWay int64) {
	for _, u := range f.counter.All(time.Now()) {
		if u.Unit == durward.UnitConcurrency {
			underWay = u.Most - u.Left
		} else {
			calls = u.Most - u.Left
		}
	}
	return calls, underWay
}

const params = `{"name":"crm__add","arguments":{"text":"x"}}`

// outcome is what is written beside a fault.
type outcome struct {
	reason   durward.Reason // of the error; "" for none
	outcome  durward.Outcome
	verdict  string
	asked    bool // the upstream was
	counted  int64
	mode     audit.Mode
	noRecord bool
}

func (f *faulty) check(t *testing.T, name string, err error, want outcome) {
	t.Helper()
	var reason durward.Reason
	if err != nil {
		reason = durward.AsError(err).Reason
	}
	if reason != want.reason {
		t.Errorf("%s: the caller hears %q (%v), want %q", name, reason, err, want.reason)
	}
	if asked := len(f.up.asked) > 0; asked != want.asked {
		t.Errorf("%s: the upstream was asked: %v, want %v", name, asked, want.asked)
	}
	if calls, underWay := f.used(); calls != want.counted || underWay != 0 {
		t.Errorf("%s: %d calls are counted and %d are under way, want %d and none", name, calls, underWay, want.counted)
	}
	if want.noRecord {
		if len(f.ledger.records) != 0 {
			t.Errorf("%s: there is a record", name)
		}
		return
	}
	if len(f.ledger.records) != 1 {
		t.Fatalf("%s: %d records, want one", name, len(f.ledger.records))
	}
	r, mode := f.ledger.last(t)
	if err != nil && durward.AsError(err).Call != r.ID {
		t.Errorf("%s: the error names the call %q, the record is %q", name, durward.AsError(err).Call, r.ID)
	}
	if r.Outcome != want.outcome || r.Verdict != want.verdict || (want.reason != "" && r.Reason != want.reason) || mode != want.mode {
		t.Errorf("%s: record says %s, %s, %q with mode %v; want %s, %s, %q with %v", name, r.Outcome, r.Verdict, r.Reason, mode, want.outcome, want.verdict, want.reason, want.mode)
	}
}

// TestAPanicInAnyStepEndsOneCallWithARecord panics in every step in turn.
func TestAPanicInAnyStepEndsOneCallWithARecord(t *testing.T) {
	for _, step := range stepsOf(t) {
		t.Run(step, func(t *testing.T) {
			f := newFaulty(t)
			f.Probe(func(at string) {
				if at == step {
					panic("a bug in " + step)
				}
			})
			want := outcome{reason: durward.ReasonInternal, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}
			if step == "conclude" { // the call was made, and nobody hears how it ended
				want = outcome{reason: durward.ReasonInternal, outcome: durward.OutcomeUnknown, verdict: "allow", mode: audit.Durable, asked: true, counted: 1}
			}
			_, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil)
			f.check(t, step, err, want)
			f.Probe(nil) // and the next call is served
			if _, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

// TestAStepThatTakesItsTimeChangesNothing delays every step in turn; a caller
// who leaves meanwhile has not been served.
func TestAStepThatTakesItsTimeChangesNothing(t *testing.T) {
	for _, step := range stepsOf(t) {
		f := newFaulty(t)
		f.Probe(func(at string) {
			if at == step {
				time.Sleep(2 * time.Millisecond)
			}
		})
		_, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil)
		f.check(t, step, err, outcome{outcome: durward.OutcomeOK, verdict: "allow", asked: true, counted: 1, mode: audit.Durable})

		f = newFaulty(t)
		ctx, leave := context.WithCancel(t.Context())
		f.Probe(func(at string) {
			if at == step {
				leave()
			}
		})
		f.up.does = func(ctx context.Context) (durward.Reply, error) {
			if ctx.Err() != nil {
				return durward.Reply{}, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The call was cancelled."}
			}
			return durward.Reply{Result: []byte(`{"content":[]}`)}, nil
		}
		_, err = f.Serve(ctx, f.call(t, "tools/call", params), nil)
		want := outcome{reason: durward.ReasonCancelled, outcome: durward.OutcomeCancelled, verdict: "allow", asked: true, counted: 1, mode: audit.Durable}
		if step == "conclude" { // it was made before its caller left
			want = outcome{outcome: durward.OutcomeOK, verdict: "allow", asked: true, counted: 1, mode: audit.Durable}
		}
		f.check(t, step+", caller left", err, want)
	}
}

// TestWhatFailsOutside is the same for what the steps ask of others.
func TestWhatFailsOutside(t *testing.T) {
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		break_ func(f *faulty)
		call   string
		want   outcome
	}{
		"the counters fail": {func(f *faulty) { f.counter.take = func() error { return boom } }, params,
			outcome{reason: durward.ReasonInternal, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}},
		"the counters panic": {func(f *faulty) { f.counter.take = func() error { panic("bug") } }, params,
			outcome{reason: durward.ReasonInternal, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}},
		"memory is short": {func(f *faulty) { f.Pressed = func() bool { return true } }, params,
			outcome{reason: durward.ReasonShedding, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}},
		"the record is not ready": {func(f *faulty) { f.ledger.sick = boom }, params,
			outcome{reason: durward.ReasonRecordUnavailable, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}},
		"the record cannot be written": {func(f *faulty) { f.ledger.failing = boom }, params,
			outcome{reason: durward.ReasonRecordUnavailable, asked: true, counted: 1, noRecord: true}},
		"the upstream fails": {func(f *faulty) {
			f.up.answer = func(*upstream.Request) (durward.Reply, error) {
				return durward.Reply{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable, Message: "down"}
			}
		}, params, outcome{reason: durward.ReasonUpstreamUnavailable, outcome: durward.OutcomeError, verdict: "allow", asked: true, counted: 1, mode: audit.Durable}},
		"the upstream answers an error": {func(f *faulty) {
			f.up.answer = func(*upstream.Request) (durward.Reply, error) {
				return durward.Reply{Error: &durward.RPCError{Code: -32603, Message: "no"}}, nil
			}
		}, params, outcome{outcome: durward.OutcomeError, verdict: "allow", asked: true, counted: 1, mode: audit.Durable}},
		"the upstream's side panics": {func(f *faulty) {
			f.up.answer = func(*upstream.Request) (durward.Reply, error) { panic("bug") }
		}, params, outcome{reason: durward.ReasonInternal, outcome: durward.OutcomeUnknown, verdict: "allow", asked: true, counted: 1, mode: audit.Durable}},
		"the breaker is open": {func(f *faulty) {
			f.up.answer = func(*upstream.Request) (durward.Reply, error) {
				return durward.Reply{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonBreakerOpen, Retry: time.Second, Message: "left alone"}
			}
		}, params, outcome{reason: durward.ReasonBreakerOpen, outcome: durward.OutcomeRefused, verdict: "deny", asked: true, mode: audit.Batched}},
		"it is not allowed": {func(*faulty) {}, `{"name":"crm__delete","arguments":{"text":"x"}}`,
			outcome{reason: durward.ReasonOperationUnknown, outcome: durward.OutcomeRefused, verdict: "deny", mode: audit.Batched}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t)
			tc.break_(f)
			_, err := f.Serve(t.Context(), f.call(t, "tools/call", tc.call), nil)
			if name == "it is not allowed" { // the caller hears unknown, the record knows better
				if durward.AsError(err).Reason != tc.want.reason || f.ledger.records[0].Reason != durward.ReasonRuleDenies {
					t.Errorf("%v, record %+v", err, f.ledger.records[0])
				}
				return
			}
			f.check(t, name, err, tc.want)
		})
	}
}

// TestAStopReachesCallsUnderWay: a call that runs when its agent is stopped
// ends at once, and a new one is not begun.
func TestAStopReachesCallsUnderWay(t *testing.T) {
	f := newFaulty(t)
	began := make(chan struct{})
	f.up.does = func(ctx context.Context) (durward.Reply, error) {
		close(began)
		<-ctx.Done()
		return durward.Reply{}, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The call was cancelled.", Err: ctx.Err()}
	}
	var err error
	var call sync.WaitGroup
	call.Go(func() { _, err = f.Serve(context.Background(), f.call(t, "tools/call", params), nil) })
	<-began
	stopped := time.Now()
	s := f.snapshot()
	s.Halts = []durward.Halt{{Kind: durward.HaltAgent, Name: "bot", Agent: "bot", Cause: durward.ReasonKilled}}
	if err := f.Load(s); err != nil {
		t.Fatal(err)
	}
	call.Wait()
	if took := time.Since(stopped); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	f.check(t, "stopped", err, outcome{reason: durward.ReasonKilled, outcome: durward.OutcomeCancelled, verdict: "allow", asked: true, counted: 1, mode: audit.Durable})
	reply, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil)
	if err != nil || !isRefusal(reply.Result) {
		t.Errorf("the next call: %s, %v", reply.Result, err)
	}
	if _, err := f.List(t.Context(), f.call(t, "tools/list", `{}`)); durward.AsError(err).Reason != durward.ReasonKilled {
		t.Errorf("a list of a stopped agent: %v", err)
	}
	f.up.does = nil
	if err := f.Load(f.snapshot()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil); err != nil {
		t.Errorf("after its release: %v", err)
	}
}
