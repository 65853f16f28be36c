package guard

import (
	"strconv"

	"durward"
	"durward/internal/mcpwire"
)

// Seen is what the guard saw in one message and what may become of it.
type Seen struct {
	// Effect is the strictest of the findings' actions.
	Effect durward.Effect
	// Findings say with Action what was done about each.
	Findings []durward.Finding
	// Body is what may go on; nil for the very bytes that came.
	Body []byte
	// Score is the probability of an attack, Orders that of orders to the model.
	Score, Orders float64
	// Secrets are what tokens in Body stand for.
	Secrets []Secret
	partial bool
}

// Secret is a value that was replaced, and by what.
type Secret struct{ Token, Value string }

// Changed reports whether Body is not what came.
func (v *Seen) Changed() bool { return v.Effect == durward.Redact }

// Worst is the finding that decided, nil when nothing acted.
func (v *Seen) Worst() *durward.Finding {
	var worst *durward.Finding
	least := durward.Allow
	for i := range v.Findings {
		if e := actionEffect(v.Findings[i].Action); e < least {
			worst, least = &v.Findings[i], e
		}
	}
	return worst
}

// Merge takes over what was seen in another part of the same message.
func (v *Seen) Merge(o *Seen) {
	v.Effect = min(v.Effect, o.Effect)
	v.Findings = append(v.Findings, o.Findings...)
	v.Score, v.Orders = max(v.Score, o.Score), max(v.Orders, o.Orders)
	v.Secrets = append(v.Secrets, o.Secrets...)
}

// The actions of findings, as records have them.
const (
	actedObserve = string(Observe)
	actedFlag    = string(Flagged)
	actedRedact  = string(Redact)
	actedHold    = string(Hold)
	actedBlock   = string(Block)
)

func action(e durward.Effect) string {
	switch e {
	case durward.Deny:
		return actedBlock
	case durward.Hold:
		return actedHold
	case durward.Redact:
		return actedRedact
	case durward.Flag:
		return actedFlag
	}
	return ""
}

func actionEffect(a string) durward.Effect {
	switch a {
	case actedBlock:
		return durward.Deny
	case actedHold:
		return durward.Hold
	case actedRedact:
		return durward.Redact
	case actedFlag:
		return durward.Flag
	}
	return durward.Allow
}

// take notes a finding with what the scope does about it, and no stricter than
// most, which is what is possible where it was found.
func (s *Scope) take(v *Seen, f durward.Finding, most durward.Effect) durward.Effect {
	return s.takeAt(v, f, most, usual)
}

// care is how soon orders are acted on, not only told.
type care uint8

// The cares.
const (
	usual care = iota
	wary       // much is at stake: see [Conversation.Listen]
	early      // no note can be put on it: as soon as they would be told
)

// From which score orders act where nothing else is said. Text of strangers is
// where they come from; what a person or program of one's own wrote may well
// quote them.
const (
	sureOfTrusted  = 0.9
	sureOfOthers   = 0.8
	sureOfStranger = 0.6
)

// sure is from which score orders act.
func (s *Scope) sure(c care) float64 {
	switch {
	case s.trust == "trusted":
		return sureOfTrusted
	case c == wary, s.role.Untrusted:
		return sureOfStranger
	}
	return sureOfOthers
}

// takeAt is take with a care.
func (s *Scope) takeAt(v *Seen, f durward.Finding, most durward.Effect, c care) durward.Effect {
	r, _ := ruleNamed(f.Rule)
	if r.orders() && s.engine.response.Act() > r.Act {
		r.Act = s.engine.response.Act()
	}
	m := s.modes[f.Rule]
	if m.Sure > 0 && r.orders() {
		m.Sure = s.sure(c)
	}
	if c == early && (r.orders() || f.Rule == "result.role") {
		r.Act, m.Sure = r.Flag, 0
	}
	effect := s.effect(r, m, f.Score)
	f.Action, f.Would = action(effect), ""
	switch {
	case m.Mode == Observe:
		f.Action = actedObserve
		f.Would = action(s.effect(r, full(r), f.Score))
	case effect == durward.Allow: // too weak to tell
		return effect
	case effect < most:
		effect = most
		f.Action = action(effect)
	}
	v.put(f)
	v.Effect = min(v.Effect, effect)
	return effect
}

// put keeps a finding; where there are too many, the mildest makes room.
func (v *Seen) put(f durward.Finding) {
	if len(v.Findings) < mostFindings {
		v.Findings = append(v.Findings, f)
		return
	}
	mildest := 0
	for i := range v.Findings {
		if actionEffect(v.Findings[i].Action) > actionEffect(v.Findings[mildest].Action) {
			mildest = i
		}
	}
	if actionEffect(v.Findings[mildest].Action) > actionEffect(f.Action) {
		v.Findings[mildest] = f
	}
}

// full is what a rule would do had nobody said anything, or what the table
// says where that is to observe.
func full(r Rule) Settled {
	if s := standing(r); s.Mode != Observe {
		return s
	}
	return Settled{Mode: r.Mode}
}

func (s *Scope) effect(r Rule, m Settled, score float64) durward.Effect {
	effect := max(m.Mode.effect(), r.least(score))
	if effect == durward.Redact && !r.cuts() {
		effect = durward.Flag // never stricter than asked for
	}
	if effect < durward.Flag && score < m.Sure {
		effect = durward.Flag
	}
	return effect
}

// orders reports the rules that the text model tells of in results.
func (r Rule) orders() bool {
	return r.ID == "result.instruction" || r.ID == "result.encoded" || r.ID == "result.split"
}

// cuts reports whether what the rule finds can be taken out.
func (r Rule) cuts() bool {
	switch r.ID {
	case "result.instruction", "result.hidden", "result.encoded", "result.split", "result.role", "secret.credential", "secret.personal", "arguments.secret", "arguments.personal":
		return true
	}
	return false
}

// MetaKey is the member of a result's _meta that tells an agent what the guard
// found in it.
const MetaKey = "durward/guard"

// Annotate returns a result with what was found in its _meta; the bytes as
// they are when there is nothing to tell.
func (v *Seen) Annotate(result []byte) []byte {
	if v.Effect == durward.Allow || !mcpwire.IsObject(result) {
		return result
	}
	meta, ok := mcpwire.Field(result, "_meta")
	if !ok || !mcpwire.IsObject(meta) {
		meta = []byte("{}")
	}
	return mcpwire.SetField(result, "_meta", mcpwire.SetField(meta, MetaKey, v.note()))
}

// note is what an agent is told: no evidence, which is what was taken out.
func (v *Seen) note() []byte {
	out := append([]byte(`{"verdict":`), mcpwire.Quote(v.Effect.String())...)
	out = append(out, `,"findings":[`...)
	n := 0
	for _, f := range v.Findings {
		if f.Action == actedObserve || f.Action == "" {
			continue
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(append(out, `{"rule":`...), mcpwire.Quote(f.Rule)...)
		out = append(append(out, `,"vector":`...), mcpwire.Quote(f.Vector)...)
		out = append(append(out, `,"severity":`...), mcpwire.Quote(f.Severity)...)
		out = append(append(out, `,"score":`...), strconv.FormatFloat(f.Score, 'g', 4, 64)...)
		if f.Where != "" {
			out = append(append(out, `,"where":`...), mcpwire.Quote(f.Where)...)
		}
		out = append(append(out, `,"action":`...), mcpwire.Quote(f.Action)...)
		out = append(out, '}')
	}
	return append(out, "]}"...)
}
