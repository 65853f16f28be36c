package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/mcpwire"
	"durward/internal/once"
	"durward/internal/upstream"
)

// shelf keeps values in memory.
type shelf struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (s *shelf) Each(_ context.Context, fn func(string, []byte) error) error {
	s.mu.Lock()
	all := maps.Clone(s.all)
	s.mu.Unlock()
	for k, v := range all {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Put(_ context.Context, k string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string][]byte{}
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

// careful is a house that remembers calls and holds them for approval. Its tool
// crm__pay is destructive, crm__add says nothing of itself.
func careful(t *testing.T, remembered, asked *shelf, roles ...durward.Role) *house {
	t.Helper()
	h := newHouse(t)
	l := listing("crm", "get", "add")
	l.Tools = append(l.Tools, []byte(`{"name":"pay","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true}}`))
	h.up.listings = []*upstream.Listing{l}
	var err error
	if h.Ledger, err = once.Open(t.Context(), once.Options{Store: remembered}); err != nil {
		t.Fatal(err)
	}
	if h.Approvals, err = approval.Open(t.Context(), approval.Options{Store: asked}); err != nil {
		t.Fatal(err)
	}
	s := snapshotOf(h)
	s.Roles = append([]durward.Role{{Name: "crm", Allow: []string{"crm__*"}}}, roles...)
	if len(roles) > 0 {
		s.Agents[0].Roles = []string{"crm", roles[0].Name}
	}
	s.Approvals = durward.ApprovalDefaults()
	s.Approvals.Wait = 50 * time.Millisecond
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	n := 0
	h.up.answer = func(r *upstream.Request) (durward.Reply, error) {
		n++
		return durward.Reply{Result: fmt.Appendf(nil, `{"resultType":"complete","content":[],"n":%d}`, n), Modern: true}, nil
	}
	return h
}

const pay = `{"name":"crm__pay","arguments":{"amount":7}}`

// A caller that went away before it had its answer gets that answer when it
// asks again; one that had it may pay again.
func TestABrokenCallIsMadeOnce(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{})
	ctx, leave := context.WithCancel(t.Context())
	answer := h.up.answer
	h.up.answer = func(r *upstream.Request) (durward.Reply, error) { leave(); return answer(r) }
	if _, err := h.Serve(ctx, h.call(t, "tools/call", pay), nil); err != nil {
		t.Fatal(err)
	}
	h.up.answer = answer
	again, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__pay","arguments":{ "amount" : 7.0 }}`), nil)
	if err != nil || !strings.Contains(string(again.Result), `"n":1`) || len(h.up.asked) != 1 {
		t.Fatalf("issued again: %s, %v; the upstream was asked %d times, want once", again.Result, err, len(h.up.asked))
	}
	if rec, _ := h.ledger.last(t); rec.Reason != durward.ReasonAnsweredBefore || rec.Outcome != durward.OutcomeOK {
		t.Errorf("the record says %s, %s", rec.Reason, rec.Outcome)
	}
}

func TestACallMayBeRepeatedOnPurpose(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{})
	for range 2 {
		if _, err := h.Serve(t.Context(), h.call(t, "tools/call", pay), nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.up.asked) != 2 {
		t.Errorf("the upstream was asked %d times, want twice", len(h.up.asked))
	}
}

func TestAnIdempotencyKeyIsForOneCall(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{})
	keyed := func(name, key, amount string) *durward.Call {
		return h.call(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":{"text":"x","amount":%s},"_meta":{"durward/idempotencyKey":%q}}`, name, amount, key))
	}
	var first string
	for i := range 3 {
		reply, err := h.Serve(t.Context(), keyed("crm__add", "k1", "7"), nil) // a tool that says nothing of itself
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = string(reply.Result)
		} else if string(reply.Result) != first {
			t.Errorf("try %d: %s, want %s", i, reply.Result, first)
		}
	}
	if reply, err := h.Serve(t.Context(), keyed("crm__add", "k1", "8"), nil); err != nil || !strings.Contains(string(reply.Result), "other arguments") {
		t.Errorf("the key with other arguments: %s, %v", reply.Result, err)
	}
	c := keyed("crm__add", "k1", "7")
	c.Once = "k2"
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Reason != durward.ReasonRequestInvalid {
		t.Errorf("two keys: %v", err)
	}
	if len(h.up.asked) != 1 {
		t.Errorf("the upstream was asked %d times, want once", len(h.up.asked))
	}
}

// A process that dies in the middle does not know what happened, and says so.
func TestADeadCallIsUnknown(t *testing.T) {
	remembered := &shelf{}
	h := careful(t, remembered, &shelf{})
	var disk map[string][]byte
	h.up.answer = func(*upstream.Request) (durward.Reply, error) {
		remembered.mu.Lock()
		defer remembered.mu.Unlock()
		disk = maps.Clone(remembered.all) // as the power fails
		return durward.Reply{Result: []byte(`{"resultType":"complete"}`), Modern: true}, nil
	}
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", pay), nil); err != nil {
		t.Fatal(err)
	}
	next := careful(t, &shelf{all: disk}, &shelf{})
	reply, err := next.Serve(t.Context(), next.call(t, "tools/call", pay), nil)
	if err != nil || !strings.Contains(string(reply.Result), "may have been made") || len(next.up.asked) != 0 {
		t.Errorf("after the crash: %s, %v; the upstream was asked %d times", reply.Result, err, len(next.up.asked))
	}
	if rec, _ := next.ledger.last(t); rec.Reason != durward.ReasonOutcomeUnknown {
		t.Errorf("the record says %s", rec.Reason)
	}
}

// TestAnApprovedCallIsMadeOnce goes the way of a stateless client: a question,
// a state to come back with, an approval, the call; and back once more.
func TestAnApprovedCallIsMadeOnce(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{}, durward.Role{Name: "holds", Hold: []string{"crm__pay"}})
	reply, err := h.Serve(t.Context(), h.call(t, "tools/call", pay), nil)
	if err != nil || !strings.Contains(string(reply.Result), `"input_required"`) || len(h.up.asked) != 0 {
		t.Fatalf("held: %s, %v", reply.Result, err)
	}
	state := strings.TrimSuffix(strings.SplitN(string(reply.Result), `"requestState":`, 2)[1], "}")
	back := `{"name":"crm__pay","arguments":{"amount":7},"requestState":` + state + `}`
	q := h.Approvals.List(t.Context(), durward.ApprovalPending)
	if len(q) != 1 || string(q[0].Args) != `{"amount":7}` {
		t.Fatalf("the questions are %+v", q)
	}
	if _, err := h.Approvals.Answer(t.Context(), q[0].ID, durward.ApprovalAnswer{By: "ann", Approve: true, Reason: "r"}, func(durward.Approval) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", strings.Replace(back, `7`, `8`, 1)), nil); durward.AsError(err).Reason != durward.ReasonStateInvalid {
		t.Errorf("other arguments with the state: %v", err)
	}
	for range 2 { // the answer to the first may have been lost
		reply, err = h.Serve(t.Context(), h.call(t, "tools/call", back), nil)
		if err != nil || !strings.Contains(string(reply.Result), `"n":1`) {
			t.Fatalf("approved: %s, %v", reply.Result, err)
		}
	}
	if len(h.up.asked) != 1 || strings.Contains(h.up.params[0], "requestState") {
		t.Errorf("the upstream was asked %d times with %v", len(h.up.asked), h.up.params)
	}
	if reply, err = h.Serve(t.Context(), h.call(t, "tools/call", pay), nil); err != nil || !strings.Contains(string(reply.Result), `"input_required"`) {
		t.Errorf("another call asks anew: %s, %v", reply.Result, err)
	}
}

// An older client hears at the end of its patience what to do.
func TestAnOlderClientIsToldToComeBack(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{}, durward.Role{Name: "holds", Hold: []string{"crm__pay"}})
	s := snapshotOf(h)
	s.Agents[0].Roles = []string{"holds"}
	s.Roles = []durward.Role{{Name: "holds", Hold: []string{"crm__pay"}}}
	s.Approvals = durward.ApprovalDefaults()
	s.Approvals.Patience = 20 * time.Millisecond
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	c := h.call(t, "tools/call", pay)
	c.Wire.Modern, c.Wire.Revision = false, "2025-11-25"
	reply, err := h.Serve(t.Context(), c, nil)
	if err != nil || !strings.Contains(string(reply.Result), "waits for the approval of a person") || !strings.Contains(string(reply.Result), `"isError":true`) {
		t.Errorf("Serve = %s, %v", reply.Result, err)
	}
	if rec, _ := h.ledger.last(t); rec.Verdict != "hold" || rec.Outcome != durward.OutcomeRefused || rec.Approval == "" {
		t.Errorf("the record says %s, %s, %q", rec.Verdict, rec.Outcome, rec.Approval)
	}
}

// What people approved is judged again by what holds when they have.
func TestAnApprovalDoesNotOutliveWhatItWasFor(t *testing.T) {
	holds := durward.Role{Name: "holds", Hold: []string{"crm__pay"}}
	for what, change := range map[string]func(*house, *durward.Snapshot){
		"the key was revoked":    func(_ *house, s *durward.Snapshot) { s.Keys[0].Revoked = time.Now() },
		"the agent was disabled": func(_ *house, s *durward.Snapshot) { s.Agents[0].Disabled = true },
		"the role denies it":     func(_ *house, s *durward.Snapshot) { s.Roles[1].Deny = []string{"crm__pay"} },
		"the tool is another": func(h *house, _ *durward.Snapshot) {
			h.up.mu.Lock()
			defer h.up.mu.Unlock()
			l := listing("crm", "get")
			l.Tools = append(l.Tools, []byte(`{"name":"pay","description":"new","inputSchema":{"type":"object"}}`))
			h.up.listings = []*upstream.Listing{l}
		},
	} {
		h := careful(t, &shelf{}, &shelf{}, holds)
		s := snapshotOf(h)
		s.Agents[0].Roles = []string{"crm", "holds"}
		s.Roles = []durward.Role{{Name: "crm", Allow: []string{"crm__*"}}, holds}
		s.Approvals = durward.ApprovalDefaults()
		type end struct {
			reply durward.Reply
			err   error
		}
		got := make(chan end, 1)
		go func() {
			reply, err := h.Serve(context.Background(), h.call(t, "tools/call", pay), nil)
			got <- end{reply, err}
		}()
		for len(h.Approvals.List(t.Context(), durward.ApprovalPending)) == 0 {
			time.Sleep(time.Millisecond)
		}
		change(h, s)
		if err := h.Load(s); err != nil {
			t.Fatal(err)
		}
		for _, q := range h.Approvals.List(t.Context(), durward.ApprovalPending) {
			_, _ = h.Approvals.Answer(t.Context(), q.ID, durward.ApprovalAnswer{By: "ann", Approve: true, Reason: "r"}, func(durward.Approval) error { return nil })
		}
		select {
		case e := <-got:
			if e.err == nil || len(h.up.asked) != 0 {
				t.Errorf("%s: the call was made %d times: %s, %v", what, len(h.up.asked), e.reply.Result, e.err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: nothing happens", what)
		}
	}
}

// patient is a caller that hears progress.
type patient struct {
	mu    sync.Mutex
	heard []string
}

func (l *patient) Notify(method string, params []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, method+" "+string(params))
}

func (l *patient) Ask(context.Context, string, []byte) ([]byte, error) {
	return []byte(`{"action":"accept","content":{"approve":true}}`), nil
}

// Who asked for progress hears what it waits for, and cannot answer itself.
func TestACallerThatWaitsHearsSo(t *testing.T) {
	h := careful(t, &shelf{}, &shelf{}, durward.Role{Name: "holds", Hold: []string{"crm__pay"}})
	l := &patient{}
	c := h.call(t, "tools/call", `{"name":"crm__pay","arguments":{"amount":7},"_meta":{"progressToken":"t1"}}`)
	if _, err := h.Serve(t.Context(), c, l); err != nil {
		t.Fatal(err)
	}
	if len(l.heard) == 0 || !strings.HasPrefix(l.heard[0], `notifications/progress {"progressToken":"t1","progress":0.000001,"message":"Waits for approval a_`) {
		t.Errorf("heard %q", l.heard)
	}
	if q := h.Approvals.List(t.Context(), durward.ApprovalPending); len(q) != 1 || len(h.up.asked) != 0 {
		t.Errorf("a client that would say yes was asked: %+v", q)
	}
}

// TestNoCallIsMadeTwiceWhateverDies issues keyed calls over and over while
// callers leave, upstreams fail and the process dies at any store, and counts
// what reached the upstream.
func TestNoCallIsMadeTwiceWhateverDies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	disk := &shelf{}
	made := map[string]int{}
	for round := range 12 {
		h := careful(t, disk, &shelf{})
		dies := 1 + rng.IntN(8) // after so many calls of the upstream the power fails
		var after map[string][]byte
		h.up.answer = func(r *upstream.Request) (durward.Reply, error) {
			key, _ := mcpwire.Text(must(mcpwire.Path(r.Payload.Raw, "arguments", "text")))
			if after == nil {
				made[key]++
			}
			if dies--; dies == 0 {
				disk.mu.Lock()
				after = maps.Clone(disk.all)
				disk.mu.Unlock()
			}
			if rng.IntN(4) == 0 {
				return durward.Reply{}, &durward.Error{Code: durward.Timeout, Reason: durward.ReasonUpstreamTimeout, Message: "late"}
			}
			return durward.Reply{Result: fmt.Appendf(nil, `{"resultType":"complete","content":[],"of":%q}`, key), Modern: true}, nil
		}
		for range 30 {
			key := fmt.Sprintf("k%d", rng.IntN(20))
			ctx, leave := context.WithCancel(t.Context())
			if rng.IntN(3) == 0 {
				leave()
			}
			c := h.call(t, "tools/call", fmt.Sprintf(`{"name":"crm__add","arguments":{"text":%q},"_meta":{"durward/idempotencyKey":%q}}`, key, key))
			reply, err := h.Serve(ctx, c, nil)
			leave()
			if after != nil {
				break
			}
			if err == nil && !strings.Contains(string(reply.Result), `"of":"`+key+`"`) && !strings.Contains(string(reply.Result), "may have been made") {
				t.Fatalf("round %d: %s got %s", round, key, reply.Result)
			}
		}
		if after != nil {
			disk = &shelf{all: after}
		}
	}
	for key, n := range made {
		if n > 1 {
			t.Errorf("%s was made %d times", key, n)
		}
	}
	if len(made) < 15 {
		t.Errorf("only %d calls were made at all", len(made))
	}
}

func must(v []byte, _ bool) []byte { return v }
