package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/identity"
	"durward/internal/mcpwire"
	"durward/internal/pipeline"
	"durward/internal/session"
	"durward/internal/upstream"
)

var pepper = []byte("0123456789abcdef0123456789abcdef")

// behind stands for the upstreams: it answers as told and remembers what it
// was asked.
type behind struct {
	mu       sync.Mutex
	listings []*upstream.Listing
	changed  chan struct{}
	asked    []upstream.Request
	params   []string
	answer   func(r *upstream.Request) (durward.Reply, error)
	does     func(ctx context.Context) (durward.Reply, error) // the same, outside of the lock
	watched  map[string]func(durward.Event)
	owner    map[string]int     // which subscription a resource's is
	opened   int                // subscriptions, in all
	during   func(durward.Peer) // what is said while a call runs
	full     string             // the agent who may watch no more
	stale    bool               // the lists changed, says the upstream
	reread   func() error
}

func (b *behind) Apply([]durward.Upstream)      {}
func (b *behind) Changed() <-chan struct{}      { return b.changed }
func (b *behind) Listings() []*upstream.Listing { b.mu.Lock(); defer b.mu.Unlock(); return b.listings }

func (b *behind) Stale(string) bool { b.mu.Lock(); defer b.mu.Unlock(); return b.stale }
func (b *behind) Reread(context.Context, string) error {
	if b.reread == nil {
		return nil
	}
	return b.reread()
}

func (b *behind) Do(ctx context.Context, r *upstream.Request, p durward.Peer) (durward.Reply, error) {
	if b.does != nil {
		b.mu.Lock()
		b.asked = append(b.asked, *r)
		b.mu.Unlock()
		return b.does(ctx)
	}
	if b.during != nil {
		b.during(p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, *r)
	b.params = append(b.params, string(r.Payload.Raw))
	if b.answer != nil {
		return b.answer(r)
	}
	return durward.Reply{Result: []byte(`{"content":[]}`)}, nil
}

func (b *behind) Watch(_, agent string, uris []string, fn func(durward.Event)) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if agent == b.full {
		return nil, &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Message: "no more"}
	}
	b.opened++
	mine := b.opened
	for _, u := range uris {
		b.watched[u], b.owner[u] = fn, mine
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, u := range uris {
			if b.owner[u] == mine {
				delete(b.watched, u)
			}
		}
	}, nil
}

// ledger keeps records in memory, or fails as told.
type ledger struct {
	mu      sync.Mutex
	records []durward.Record
	modes   []audit.Mode
	sick    error
	failing error
}

func (l *ledger) Ready() error { return l.sick }

func (l *ledger) Append(_ context.Context, r *durward.Record, m audit.Mode) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing != nil {
		return l.failing
	}
	l.records, l.modes = append(l.records, *r), append(l.modes, m)
	return nil
}

func (l *ledger) last(t *testing.T) (durward.Record, audit.Mode) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		t.Fatal("no record was kept")
	}
	return l.records[len(l.records)-1], l.modes[len(l.modes)-1]
}

func (l *ledger) all() []durward.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]durward.Record(nil), l.records...)
}

type house struct {
	*pipeline.Gateway
	up     *behind
	ledger *ledger
	secret string
	key    durward.Key
}

const schema = `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`

func listing(name string, tools ...string) *upstream.Listing {
	l := &upstream.Listing{Upstream: name, Tried: time.Now(), Fetched: time.Now(), Capabilities: []byte(`{"tools":{},"resources":{}}`)}
	for _, tool := range tools {
		l.Tools = append(l.Tools, fmt.Appendf(nil, `{"name":%q,"inputSchema":%s,"annotations":{"readOnlyHint":%v}}`, tool, schema, strings.HasPrefix(tool, "get")))
	}
	return l
}

func newHouse(t testing.TB) *house { return newHouseWith(t, nil) }

// newHouseWith is a house that keeps pins.
func newHouseWith(t testing.TB, keep func(context.Context, []durward.Pin) error) *house {
	t.Helper()
	h := &house{
		up:     &behind{changed: make(chan struct{}, 1), watched: map[string]func(durward.Event){}, owner: map[string]int{}, listings: []*upstream.Listing{listing("crm", "get", "add", "delete"), listing("files", "get")}},
		ledger: &ledger{},
	}
	var err error
	h.Gateway, err = pipeline.New(pipeline.Options{
		Log: slog.New(slog.DiscardHandler), Pepper: pepper, Upstreams: h.up, Records: h.ledger,
		Sessions: session.NewTable(session.Options{}), Server: []byte(`{"name":"durward","version":"test"}`), Keep: keep,
	})
	if err != nil {
		t.Fatal(err)
	}
	var key durward.Key
	h.secret, key = identity.Mint(pepper, time.Now())
	key.Agent = "bot"
	h.key = key
	if err := h.Load(snapshotOf(h)); err != nil {
		t.Fatal(err)
	}
	return h
}

// snapshotOf is what a house begins with.
func snapshotOf(h *house) *durward.Snapshot {
	return &durward.Snapshot{
		Revision:  7,
		Agents:    []durward.Agent{{Name: "bot", Roles: []string{"crm"}}},
		Keys:      []durward.Key{h.key},
		Roles:     []durward.Role{{Name: "crm", Allow: []string{"crm__*"}, Deny: []string{"crm__delete*"}}},
		Upstreams: []durward.Upstream{{Name: "crm"}, {Name: "files"}},
	}
}

func (h *house) call(t testing.TB, method, params string) *durward.Call {
	t.Helper()
	payload, err := mcpwire.ReadPayload([]byte(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
	}
	c := &durward.Call{ID: "c1", Received: time.Now(), Method: method, Input: payload, Credential: durward.NewCredential(h.secret),
		Wire: durward.Wire{Lane: durward.LaneMCP, Transport: "http", Revision: "2026-07-28", Modern: true}}
	if name, ok := mcpwire.Text(payload.Name.Of(payload.Raw)); ok {
		c.Asked = name
	}
	if uri, ok := mcpwire.Text(payload.URI.Of(payload.Raw)); ok {
		c.Asked = uri
	}
	return c
}

// TestWhatIsDecidedOnIsWhatIsCalled: params that name a second operation for
// another method's place must not be judged by that one.
func TestWhatIsDecidedOnIsWhatIsCalled(t *testing.T) {
	h := newHouse(t)
	for method, params := range map[string]string{
		"tools/call":          `{"name":"delete","ref":{"name":"crm__add"},"arguments":{"text":"x"}}`,
		"prompts/get":         `{"name":"delete","uri":"crm://1","arguments":{}}`,
		"resources/read":      `{"uri":"files://secret","ref":{"uri":"crm://1"}}`,
		"completion/complete": `{"ref":{"type":"ref/resource","uri":"crm://1"},"name":"delete"}`,
	} {
		c := h.call(t, method, params)
		c.Asked = "crm__add" // whatever the edge made of it
		if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Reason != durward.ReasonRequestInvalid || len(h.up.asked) != 0 {
			t.Errorf("%s: Serve = %v, upstream asked %+v", method, err, h.up.asked)
		}
	}
	c := h.call(t, "tools/call", `{"name":"crm__delete","arguments":{"text":"x"}}`)
	c.Asked = "crm__add"
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Code != durward.NotFound {
		t.Errorf("the name in the params must decide: %v", err)
	}
}

func TestAnAllowedCallReachesItsUpstreamAndLeavesARecord(t *testing.T) {
	h := newHouse(t)
	reply, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`), nil)
	if err != nil || string(reply.Result) != `{"content":[]}` {
		t.Fatalf("Serve = %s, %v", reply.Result, err)
	}
	if len(h.up.asked) != 1 || h.up.asked[0].Upstream != "crm" || h.up.asked[0].Name != "add" {
		t.Errorf("the upstream was asked %+v", h.up.asked)
	}
	r, mode := h.ledger.last(t)
	if r.Agent != "bot" || r.Key == "" || r.Upstream != "crm" || r.Tool != "add" || r.Verdict != "allow" || r.Outcome != durward.OutcomeOK || r.Revision != 7 || mode != audit.Durable {
		t.Errorf("record %+v, mode %v", r, mode)
	}
}

func TestReadsMayBeBatched(t *testing.T) {
	h := newHouse(t)
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__get","arguments":{"text":"x"}}`), nil); err != nil {
		t.Fatal(err)
	}
	if _, mode := h.ledger.last(t); mode != audit.Batched {
		t.Errorf("a read was recorded with mode %v, want Batched", mode)
	}
}

func TestHiddenAndUnknownToolsAnswerAlike(t *testing.T) {
	h := newHouse(t)
	for _, tc := range []struct {
		asked  string
		reason durward.Reason
	}{{"crm__delete", durward.ReasonRuleDenies}, {"files__get", durward.ReasonNotAllowed}, {"crm__nothing", durward.ReasonOperationUnknown}, {"delete", durward.ReasonOperationUnknown}} {
		_, err := h.Serve(t.Context(), h.call(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":{"text":"x"}}`, tc.asked)), nil)
		e := durward.AsError(err)
		if e.Code != durward.NotFound || e.Reason != durward.ReasonOperationUnknown || e.Message != "Unknown tool: "+tc.asked {
			t.Errorf("%s: caller hears %+v", tc.asked, e)
		}
		if r, _ := h.ledger.last(t); r.Reason != tc.reason || r.Verdict != "deny" || r.Outcome != durward.OutcomeRefused {
			t.Errorf("%s: record says %+v, want reason %s", tc.asked, r, tc.reason)
		}
	}
	if len(h.up.asked) != 0 {
		t.Errorf("upstreams were asked: %+v", h.up.asked)
	}
}

func TestRefusalsOfCredentialsAreRecorded(t *testing.T) {
	h := newHouse(t)
	c := h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
	c.Credential = durward.NewCredential("dwk_wrong")
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Code != durward.Unauthenticated {
		t.Errorf("Serve with a wrong key = %v", err)
	}
	if r, _ := h.ledger.last(t); r.Reason != durward.ReasonKeyMalformed || r.Outcome != durward.OutcomeRefused || r.Agent != "" {
		t.Errorf("record %+v", r)
	}
}

func TestWrongArgumentsAreAToolResultThatTeaches(t *testing.T) {
	h := newHouse(t)
	reply, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":7}}`), nil)
	if err != nil || !strings.Contains(string(reply.Result), `"isError":true`) || !strings.Contains(string(reply.Result), "/text") || len(h.up.asked) != 0 {
		t.Fatalf("Serve = %s, %v; upstream asked %d times", reply.Result, err, len(h.up.asked))
	}
	if r, _ := h.ledger.last(t); r.Verdict != "deny" || r.Reason != durward.ReasonArgumentsInvalid || len(r.Findings) != 1 || r.Outcome != durward.OutcomeRefused {
		t.Errorf("record %+v", r)
	}
}

func TestWithoutARecordThereIsNoCall(t *testing.T) {
	h := newHouse(t)
	h.ledger.sick = errors.New("disk full")
	c := func() *durward.Call { return h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`) }
	if _, err := h.Serve(t.Context(), c(), nil); durward.AsError(err).Reason != durward.ReasonRecordUnavailable || len(h.up.asked) != 0 {
		t.Errorf("with a sick log: %v, upstream asked %d times", err, len(h.up.asked))
	}
	h.ledger.sick, h.ledger.failing = nil, errors.New("disk full")
	reply, err := h.Serve(t.Context(), c(), nil)
	if durward.AsError(err).Reason != durward.ReasonRecordUnavailable || reply.Result != nil {
		t.Errorf("an answer left without its record: %s, %v", reply.Result, err)
	}
}

func TestOutcomes(t *testing.T) {
	h := newHouse(t)
	for _, tc := range []struct {
		what  string
		reply durward.Reply
		err   error
		want  durward.Outcome
	}{
		{"a tool error", durward.Reply{Result: []byte(`{"content":[],"isError":true}`)}, nil, durward.OutcomeToolError},
		{"a protocol error", durward.Reply{Error: &durward.RPCError{Code: -32603}}, nil, durward.OutcomeError},
		{"a dead upstream", durward.Reply{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable}, durward.OutcomeError},
		{"a cancelled call", durward.Reply{}, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled}, durward.OutcomeCancelled},
	} {
		h.up.answer = func(*upstream.Request) (durward.Reply, error) { return tc.reply, tc.err }
		_, _ = h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`), nil)
		if r, _ := h.ledger.last(t); r.Outcome != tc.want || r.Verdict != "allow" {
			t.Errorf("%s: outcome %s, verdict %s; want %s, allow", tc.what, r.Outcome, r.Verdict, tc.want)
		}
	}
}

func TestRequestStateIsSealedForItsCaller(t *testing.T) {
	h := newHouse(t)
	const own = `"upstream's \u0041 own"`
	h.up.answer = func(*upstream.Request) (durward.Reply, error) {
		return durward.Reply{Modern: true, Result: []byte(`{"resultType":"input_required","inputRequests":{},"requestState":` + own + `}`)}, nil
	}
	reply, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := mcpwire.Field(reply.Result, "requestState")
	if strings.Contains(string(reply.Result), "upstream's") || len(sealed) == 0 {
		t.Fatalf("the client sees %s", reply.Result)
	}
	again := func(name, state string) error {
		_, err := h.Serve(t.Context(), h.call(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":{"text":"x"},"inputResponses":{},"requestState":%s}`, name, state)), nil)
		return err
	}
	if err := again("crm__add", string(sealed)); err != nil {
		t.Fatal(err)
	}
	if got := h.up.params[len(h.up.params)-1]; !strings.Contains(got, `"requestState":`+own) {
		t.Errorf("the upstream got %s, want its own bytes back", got)
	}
	other := `x"`
	if sealed[len(sealed)-2] == 'x' {
		other = `y"`
	}
	for what, err := range map[string]error{
		"another tool":  again("crm__get", string(sealed)),
		"changed state": again("crm__add", string(sealed[:len(sealed)-2])+other),
		"foreign state": again("crm__add", own),
	} {
		if durward.AsError(err).Reason != durward.ReasonStateInvalid {
			t.Errorf("%s: %v, want state_invalid", what, err)
		}
	}
}

func TestUnlistedResourcesAreAskedForInTurn(t *testing.T) {
	h := newHouse(t)
	h.up.listings = append(h.up.listings, listing("crm2"))
	s := &durward.Snapshot{Agents: []durward.Agent{{Name: "bot", Roles: []string{"all"}}}, Roles: []durward.Role{{Name: "all", Allow: []string{"crm*"}}},
		Upstreams: []durward.Upstream{{Name: "crm"}, {Name: "crm2"}, {Name: "files"}}}
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	h.up.answer = func(r *upstream.Request) (durward.Reply, error) {
		if r.Upstream == "crm" {
			return durward.Reply{Error: &durward.RPCError{Code: -32002, Message: "not found"}}, nil
		}
		return durward.Reply{Result: []byte(`{"contents":[]}`)}, nil
	}
	c := h.call(t, "resources/read", `{"uri":"x://y"}`)
	c.Credential, c.Local = durward.Credential{}, "bot"
	if _, err := h.Serve(t.Context(), c, nil); err != nil || len(h.up.asked) != 2 {
		t.Fatalf("Serve = %v, asked %d upstreams, want 2", err, len(h.up.asked))
	}
	if r, _ := h.ledger.last(t); r.Upstream != "crm2" || r.Tool != "x://y" {
		t.Errorf("record %+v, want the upstream that had it", r)
	}
}

func TestWatchHearsOfListChangesThatItCanSee(t *testing.T) {
	h := newHouse(t)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _ = h.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	c := h.call(t, "subscriptions/listen", `{}`)
	w, err := h.Watch(ctx, c, durward.Topics{Tools: true, URIs: []string{"crm://1", "crm://1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := w.Granted(); !got.Tools || len(got.URIs) != 1 {
		t.Errorf("granted %+v", got)
	}
	relist := func(l ...*upstream.Listing) {
		h.up.mu.Lock()
		h.up.listings = l
		h.up.mu.Unlock()
		h.up.changed <- struct{}{}
	}
	relist(listing("crm", "get", "add", "delete"), listing("files", "get", "hidden")) // nothing that bot sees
	relist(listing("crm", "get", "add", "delete", "new"), listing("files", "get", "hidden"))
	if e := <-w.Events(); e.Method != "notifications/tools/list_changed" {
		t.Errorf("event %+v", e)
	}
	h.up.watched["crm://1"](durward.Event{Method: "notifications/resources/updated", Params: []byte(`{"uri":"crm://1"}`)})
	if e := <-w.Events(); e.Method != "notifications/resources/updated" {
		t.Errorf("event %+v", e)
	}
	w.Close()
	if len(h.up.watched) != 0 {
		t.Errorf("subscriptions left behind: %v", h.up.watched)
	}
	if _, open := <-w.Events(); open {
		t.Error("Events is still open after Close, with an event that nobody asked for")
	}
}

func TestARemovedAgentLosesSessionsAndWatches(t *testing.T) {
	h := newHouse(t)
	c := h.call(t, "initialize", `{}`)
	c.Wire.Modern = false
	if err := h.Admit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s, err := h.OpenSession(t.Context(), c, durward.Session{Revision: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	var closed []string
	h.OnSessionClosed(func(s *durward.Session) { closed = append(closed, s.ID) })
	w, err := h.Watch(t.Context(), c, durward.Topics{Tools: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Load(&durward.Snapshot{Revision: 8}); err != nil {
		t.Fatal(err)
	}
	if _, open := <-w.Events(); open || len(closed) != 1 || closed[0] != s.ID {
		t.Errorf("watch open %v, closed sessions %v, want %s", open, closed, s.ID)
	}
}

func TestASnapshotThatDoesNotCompileChangesNothing(t *testing.T) {
	h := newHouse(t)
	if err := h.Load(&durward.Snapshot{Revision: 9, Roles: []durward.Role{{Name: "r", Allow: []string{""}}}}); err == nil {
		t.Fatal("Load accepted an empty pattern")
	}
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`), nil); err != nil || h.Revision() != 7 {
		t.Errorf("after a failed Load: %v, revision %d", err, h.Revision())
	}
}

func TestACallAdmittedUnderAnOlderPlanIsJudgedByTheNewOne(t *testing.T) {
	h := newHouse(t)
	c := h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
	if err := h.Admit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := h.Load(&durward.Snapshot{Revision: 8, Agents: []durward.Agent{{Name: "bot"}}, Upstreams: []durward.Upstream{{Name: "crm"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Code != durward.NotFound || len(h.up.asked) != 0 {
		t.Errorf("the roles are gone, but Serve = %v", err)
	}
	if err := h.Load(&durward.Snapshot{Revision: 9}); err != nil {
		t.Fatal(err)
	}
	c = h.call(t, "tools/call", `{"name":"crm__add"}`)
	c.Agent = &durward.Agent{Name: "bot"}
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Reason != durward.ReasonAgentUnknown {
		t.Errorf("the agent is gone, but Serve = %v", err)
	}
}
