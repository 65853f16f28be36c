package boot

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"durward"
	"durward/internal/config"
	"durward/internal/identity"
	"durward/internal/mcpwire"
	"durward/internal/pipeline"
	"durward/internal/session"
	"durward/internal/snapshot"
	"durward/internal/upstream"
)

// Trial is a gateway that serves nobody: it decides about calls as one with
// that configuration would, over definitions that it is given. It reaches
// nothing, keeps nothing and records nothing.
type Trial struct {
	gw    *pipeline.Gateway
	offer *offer
	clock *clock
	snap  durward.Snapshot
}

// TrialOptions tell what a trial decides over.
type TrialOptions struct {
	// State is what a store holds beside the file; nil for nothing.
	State *durward.State
	// Unpinned leaves out what was approved of definitions: for made-up ones.
	Unpinned bool
}

// NewTrial makes a trial of a configuration.
func NewTrial(cfg *config.Config, o TrialOptions) (*Trial, error) {
	if o.State == nil {
		o.State = &durward.State{}
	}
	pepper := make([]byte, 32)
	merged, _ := snapshot.Merge(cfg.Declared(func(s string) [32]byte { return identity.Hash(pepper, s) }), o.State)
	t := &Trial{offer: &offer{tools: map[string][]json.RawMessage{}, prompts: map[string][]json.RawMessage{}, resources: map[string][]json.RawMessage{}}, clock: &clock{}, snap: *merged}
	if o.Unpinned {
		t.snap.Pins, t.snap.Guarding = nil, durward.Guarding{FirstSight: durward.TrustFirst}
	}
	for _, u := range t.snap.Upstreams {
		t.offer.names = append(t.offer.names, u.Name)
	}
	var err error
	t.gw, err = pipeline.New(pipeline.Options{
		Log: slog.New(slog.DiscardHandler), Pepper: pepper, Upstreams: t.offer, Sessions: session.NewTable(session.Options{}),
		Server: serverInfo("trial"), Now: t.clock.now,
	})
	return t, err
}

// Define adds a definition that an upstream offers: of a tool, prompt or resource.
func (t *Trial) Define(upstream, kind string, definition json.RawMessage) {
	switch kind {
	case "tool":
		t.offer.tools[upstream] = append(t.offer.tools[upstream], definition)
	case "prompt":
		t.offer.prompts[upstream] = append(t.offer.prompts[upstream], definition)
	case "resource":
		t.offer.resources[upstream] = append(t.offer.resources[upstream], definition)
	}
}

// Load puts the configuration in force over what was defined so far.
func (t *Trial) Load() error {
	t.snap.Revision++
	next := t.snap
	return t.gw.Load(&next)
}

// Ask tells what would be decided about a call at a time; the zero time is now.
func (t *Trial) Ask(ctx context.Context, q durward.Question, at time.Time, labels ...string) (durward.Explanation, error) {
	t.clock.set(at)
	c, err := rehearsed(q, t.clock.now())
	if err != nil {
		return durward.Explanation{}, err
	}
	return t.gw.Explain(ctx, c, labels...), nil
}

// TryCases runs policy cases over a configuration.
func TryCases(ctx context.Context, cfg *config.Config, cases []config.Case) ([]CaseResult, error) {
	var out []CaseResult
	for _, c := range cases {
		x, err := tryCase(ctx, cfg, c)
		if err != nil {
			return nil, err
		}
		r := CaseResult{Name: c.Name, Line: c.Line, Want: c.Want, WantRule: c.Rule, Got: x.Verdict, Rule: x.Rule, Reason: x.Reason, Step: lastStep(x), Unsure: x.Unsure}
		r.OK = r.Got == c.Want && strings.Contains(x.Rule, c.Rule)
		out = append(out, r)
	}
	return out, nil
}

// CaseResult is how a case came out.
type CaseResult struct {
	Name     string         `json:"name"`
	Line     int            `json:"line"`
	OK       bool           `json:"ok"`
	Want     string         `json:"want"`
	WantRule string         `json:"want_rule,omitempty"`
	Got      string         `json:"got"`
	Rule     string         `json:"rule,omitempty"`
	Reason   durward.Reason `json:"reason,omitempty"`
	Step     string         `json:"step,omitempty"`
	Unsure   []string       `json:"unsure,omitempty"`
}

func lastStep(x durward.Explanation) string {
	if len(x.Steps) == 0 {
		return ""
	}
	return x.Steps[len(x.Steps)-1].Name
}

// tryCase decides about one case, over a tool as the case describes it.
func tryCase(ctx context.Context, cfg *config.Config, c config.Case) (durward.Explanation, error) {
	t, err := NewTrial(cfg, TrialOptions{Unpinned: true})
	if err != nil {
		return durward.Explanation{}, err
	}
	up, tool, _ := strings.Cut(c.Tool, "__")
	t.Define(up, "tool", toolAs(tool, c.Annotations))
	if err := t.Load(); err != nil {
		return durward.Explanation{}, err
	}
	args := c.Args
	if args == nil {
		args = json.RawMessage("{}")
	}
	return t.Ask(ctx, durward.Question{Agent: c.Agent, Name: c.Tool, Arguments: args, Source: c.Source}, c.At, c.Labels...)
}

// toolAs is a definition of a tool of which no more is known.
func toolAs(name string, annotations json.RawMessage) json.RawMessage {
	out := append([]byte(`{"name":`), mcpwire.Quote(name)...)
	out = append(out, `,"inputSchema":{"type":"object"}`...)
	if annotations != nil {
		out = append(append(out, `,"annotations":`...), annotations...)
	}
	return append(out, '}')
}

// clock stands still at the time of the call that is asked about.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return time.Now()
	}
	return c.at
}

// offer stands for upstreams: it lists what it was given and can do nothing.
type offer struct {
	names                     []string
	tools, prompts, resources map[string][]json.RawMessage
}

var errTrial = errors.New("a trial calls nothing")

func (o *offer) Apply([]durward.Upstream) {}

func (o *offer) Changed() <-chan struct{} { return nil }

func (o *offer) Do(context.Context, *upstream.Request, durward.Peer) (durward.Reply, error) {
	return durward.Reply{}, errTrial
}

func (o *offer) Watch(string, string, []string, func(durward.Event)) (func(), error) {
	return nil, errTrial
}

func (o *offer) Listings() []*upstream.Listing {
	var all []*upstream.Listing
	for _, name := range o.names {
		all = append(all, &upstream.Listing{
			Upstream: name, Modern: true, Revision: mcpwire.NewestModern, Capabilities: []byte(`{"tools":{},"prompts":{},"resources":{}}`),
			Tools: bytesOf(o.tools[name]), Prompts: bytesOf(o.prompts[name]), Resources: bytesOf(o.resources[name]),
			Tried: time.Now(), Fetched: time.Now(), Generation: 1,
		})
	}
	return all
}

func bytesOf(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

var _ pipeline.Upstreams = (*offer)(nil)
