package boot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"durward"
	"durward/internal/audit"
	"durward/internal/config"
	"durward/internal/mcpwire"
)

// Simulation is what a candidate configuration would change about recorded calls.
type Simulation struct {
	Calls int `json:"calls"` // that were decided about again
	Same  int `json:"same"`
	// Unsure calls hang on what the record does not keep; Skipped were decided
	// by what is gone: limits, sessions, credentials, people, upstreams.
	Unsure  int      `json:"unsure"`
	Skipped int      `json:"skipped"`
	Changed int      `json:"changed"`
	Changes []Change `json:"changes"`
	// Guessed are upstreams whose definitions were not at hand.
	Guessed []string `json:"guessed,omitempty"`
}

// Change is a group of calls that would be decided otherwise, for one reason.
type Change struct {
	Agent   string         `json:"agent"`
	Tool    string         `json:"tool"`
	Was     string         `json:"was"`
	Would   string         `json:"would"`
	Rule    string         `json:"rule,omitempty"`
	Reason  durward.Reason `json:"reason,omitempty"`
	Step    string         `json:"step,omitempty"`
	Calls   int            `json:"calls"`
	Example string         `json:"example"` // id of the last of them
}

// SimulateOptions choose what is replayed, and over what.
type SimulateOptions struct {
	Filter RecordFilter
	State  *durward.State
	// Definitions are what upstreams offer, as far as known.
	Definitions map[string][]durward.Definition
}

// Simulate replays recorded calls against a configuration: the code that
// decides calls decides about them again. Nothing is called or recorded.
func Simulate(ctx context.Context, cfg *config.Config, dir string, o SimulateOptions) (*Simulation, error) {
	records, err := replayable(ctx, dir, o.Filter)
	if err != nil {
		return nil, err
	}
	out := &Simulation{Changes: []Change{}}
	t, err := NewTrial(cfg, TrialOptions{State: o.State})
	if err != nil {
		return nil, err
	}
	out.Guessed = t.know(cfg, records, o.Definitions)
	if err := t.Load(); err != nil {
		return nil, err
	}
	for i := range records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := out.replay(ctx, t, &records[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out.Changes, func(a, b Change) int {
		if n := b.Calls - a.Calls; n != 0 {
			return n
		}
		return strings.Compare(a.Agent+a.Tool+a.Would, b.Agent+b.Tool+b.Would)
	})
	return out, nil
}

// most bounds how many records are replayed: the latest.
const most = 1_000_000

// methods that are decided about by what they call.
func replayable(ctx context.Context, dir string, f RecordFilter) ([]durward.Record, error) {
	var out []durward.Record
	open := Unsealed(filepath.Dir(dir)) // arguments that are kept in full
	for e, err := range audit.Read(ctx, dir, f) {
		if err != nil {
			return nil, err
		}
		e.JSON = open(e.JSON)
		r, err := e.Record()
		if err != nil {
			return nil, err
		}
		switch r.Method {
		case mcpwire.MethodToolsCall, mcpwire.MethodPromptsGet, mcpwire.MethodResourcesRead:
			if r.Verdict != "" { // else it only announces a call
				out = append(out, r)
			}
		}
		if len(out) > most {
			return nil, errors.New("there are more than a million calls; choose a shorter time with --since")
		}
	}
	return out, nil
}

// know gives a trial the definitions that the recorded calls need: as the
// upstreams list them, as they were approved, or made up from the record.
func (t *Trial) know(cfg *config.Config, records []durward.Record, listed map[string][]durward.Definition) (guessed []string) {
	have := map[durward.PinKey]bool{}
	define := func(k durward.PinKey, definition json.RawMessage) {
		if len(definition) > 0 && !have[k] {
			have[k] = true
			t.Define(k.Upstream, k.Kind, definition)
		}
	}
	for up, all := range listed {
		for _, d := range all {
			define(durward.PinKey{Upstream: up, Kind: d.Kind, Name: d.Name}, d.Now)
		}
	}
	for i := range t.snap.Pins {
		p := &t.snap.Pins[i]
		if listed[p.Upstream] == nil {
			define(p.Key(), p.Definition)
		}
	}
	for i := range records {
		k, ok := keyOf(&records[i])
		if !ok || have[k] || listed[k.Upstream] != nil {
			continue
		}
		define(k, guess(k))
		if !slices.Contains(guessed, k.Upstream) {
			guessed = append(guessed, k.Upstream)
		}
	}
	if len(guessed) > 0 { // what was made up is nobody's to approve
		t.snap.Guarding = durward.Guarding{FirstSight: durward.TrustFirst}
		t.snap.Pins = slices.DeleteFunc(slices.Clone(t.snap.Pins), func(p durward.Pin) bool { return slices.Contains(guessed, p.Upstream) })
	}
	slices.Sort(guessed)
	return guessed
}

// keyOf names what a call was of; false when nobody knew.
func keyOf(r *durward.Record) (durward.PinKey, bool) {
	kind := map[string]string{mcpwire.MethodToolsCall: "tool", mcpwire.MethodPromptsGet: "prompt", mcpwire.MethodResourcesRead: "resource"}[r.Method]
	return durward.PinKey{Upstream: r.Upstream, Kind: kind, Name: r.Tool}, r.Upstream != "" && r.Tool != ""
}

func guess(k durward.PinKey) json.RawMessage {
	switch k.Kind {
	case "tool":
		return toolAs(k.Name, nil)
	case "resource":
		return append(append(append(append([]byte(`{"uri":`), mcpwire.Quote(k.Name)...), `,"name":`...), mcpwire.Quote(k.Name)...), '}')
	}
	return append(append([]byte(`{"name":`), mcpwire.Quote(k.Name)...), '}')
}

// replay decides about one call again.
func (s *Simulation) replay(ctx context.Context, t *Trial, r *durward.Record) error {
	if r.Agent == "" || r.Asked == "" || gone(r.Reason) {
		s.Skipped++
		return nil
	}
	args, known := recordedArgs(r)
	q := durward.Question{Agent: r.Agent, Method: r.Method, Name: r.Asked, Arguments: args, Source: r.Remote}
	x, err := t.Ask(ctx, q, r.Time)
	if err == nil && (x.Reason == durward.ReasonOperationUnknown || x.Reason == durward.ReasonOperationAmbiguous) && r.Upstream != "" && r.Method != mcpwire.MethodResourcesRead {
		q.Name = r.Upstream + "__" + r.Tool // it came to an endpoint, where a bare name was enough
		x, err = t.Ask(ctx, q, r.Time)
	}
	if err != nil {
		return err
	}
	s.Calls++
	was := r.Verdict
	switch {
	case was == x.Verdict:
		if len(x.Unsure) > 0 && !known {
			s.Unsure++
			return nil
		}
		s.Same++
	case unseen(r, x, known):
		s.Unsure++ // what decided then, or now, is not in the record
	default:
		s.change(r, was, x)
	}
	return nil
}

func (s *Simulation) change(r *durward.Record, was string, x durward.Explanation) {
	s.Changed++
	c := Change{Agent: r.Agent, Tool: r.Asked, Was: was, Would: x.Verdict, Rule: x.Rule, Reason: x.Reason, Step: decided(x)}
	if r.Upstream != "" {
		c.Tool = r.Upstream + "__" + r.Tool
	}
	for i := range s.Changes {
		have := &s.Changes[i]
		same := *have
		same.Calls, same.Example = 0, ""
		if same == c {
			have.Calls++
			have.Example = r.ID
			return
		}
	}
	c.Calls, c.Example = 1, r.ID
	s.Changes = append(s.Changes, c)
}

// decided is the last step that decided something.
func decided(x durward.Explanation) string {
	for i := len(x.Steps) - 1; i >= 0; i-- {
		if x.Steps[i].Effect != "" {
			return x.Steps[i].Name
		}
	}
	return ""
}

// recordedArgs are the arguments as they were, when the record has them whole.
func recordedArgs(r *durward.Record) (args json.RawMessage, known bool) {
	if len(r.Args) == 0 {
		return nil, r.ArgsSHA256 == "" // there were none
	}
	canonical, err := mcpwire.AppendCanonical(nil, r.Args)
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256(canonical)
	if hex.EncodeToString(sum[:]) != r.ArgsSHA256 || !mcpwire.IsObject(r.Args) {
		return nil, false // redacted
	}
	return r.Args, true
}

// gone tells reasons that a replay cannot meet again.
func gone(r durward.Reason) bool {
	switch r {
	case durward.ReasonNone, durward.ReasonNotAllowed, durward.ReasonRuleDenies, durward.ReasonRuleHolds, durward.ReasonOperationUnknown,
		durward.ReasonOperationAmbiguous, durward.ReasonArgumentsInvalid, durward.ReasonSchemaUnusable, durward.ReasonPolicyDenies, durward.ReasonPolicyHolds,
		durward.ReasonPolicyFlags, durward.ReasonPolicyFailed, durward.ReasonGuardBlocked, durward.ReasonGuardHeld, durward.ReasonGuardFlagged,
		durward.ReasonGuardRedacted, durward.ReasonApprovalRequired, durward.ReasonInputRequired, durward.ReasonAnsweredBefore:
		return false
	}
	return !strings.HasPrefix(string(r), "definition_")
}

// unseen tells whether the two verdicts may differ by what a replay does not
// have: arguments of which only a digest is kept, what a conversation had read,
// what a server answered, and what an upstream defined at that time.
func unseen(r *durward.Record, x durward.Explanation, known bool) bool {
	refuses := x.Verdict == durward.Deny.String()
	switch {
	case ofDefinition(r.Reason) && !refuses, ofDefinition(x.Reason) && x.Reason != durward.ReasonDefinitionUnapproved:
		return true
	case refuses:
		return false
	case strings.HasPrefix(r.Rule, "guard "):
		return !known || !strings.HasPrefix(r.Rule, "guard arguments.")
	case known:
		return false
	}
	return ofArguments(r.Reason) || strings.HasPrefix(r.Rule, "policy ") || r.Verdict == durward.Flag.String() || r.Verdict == durward.Redact.String()
}

// ofDefinition tells reasons that lie in what an upstream defined.
func ofDefinition(r durward.Reason) bool {
	return strings.HasPrefix(string(r), "definition_") || r == durward.ReasonServerChanged
}

// ofArguments tells reasons that lie in the arguments.
func ofArguments(r durward.Reason) bool {
	switch r {
	case durward.ReasonArgumentsInvalid, durward.ReasonSchemaUnusable, durward.ReasonPolicyDenies, durward.ReasonPolicyHolds, durward.ReasonPolicyFlags,
		durward.ReasonPolicyFailed, durward.ReasonGuardBlocked, durward.ReasonGuardHeld, durward.ReasonGuardFlagged, durward.ReasonGuardRedacted:
		return true
	}
	return false
}
