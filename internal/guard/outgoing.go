package guard

import (
	"bytes"
	"strings"

	"durward"
	"durward/internal/guard/args"
	"durward/internal/guard/dlp"
	"durward/internal/guard/flow"
	"durward/internal/mcpwire"
)

// Arguments inspects what an agent sends: the arguments of a tool or prompt,
// or a URI. Hostile values are judged by what their field is for; credentials
// may stand only in fields that the schema declares for them.
func (s *Scope) Arguments(raw []byte) *Seen {
	if s.off {
		return nothing
	}
	mark, known := s.routine.has(raw)
	if known {
		return nothing
	}
	v := s.arguments(raw)
	if v == nothing {
		s.routine.add(mark)
	}
	return v
}

func (s *Scope) arguments(raw []byte) *Seen {
	v := s.outgoing(raw)
	if s.op.Kind != durward.KindTool {
		return v
	}
	found, whole := s.tool.Inspect(raw)
	var more []args.Finding
	switch {
	case s.reads:
		more = s.tool.ReadOnly(raw)
	case s.claims:
		more = s.tool.Claimed(raw)
	}
	if len(found) == 0 && len(more) == 0 && whole {
		return v
	}
	rep := s.engine.called(found, whole)
	for _, f := range more {
		s.engine.add(rep, rule("arguments."+f.Rule), f.Score, f.Where, f.What)
	}
	if v == nothing {
		v = &Seen{Effect: durward.Allow}
	}
	v.Score = max(v.Score, rep.Score)
	for _, f := range rep.Findings {
		s.take(v, f, durward.Deny)
	}
	return v
}

// Answer inspects what a person or a model answered to a server's question.
func (s *Scope) Answer(raw []byte) *Seen { return s.outgoing(raw) }

func (s *Scope) outgoing(raw []byte) *Seen {
	if s.off {
		return nothing
	}
	r := readings.Get().(*reading)
	r.out = true
	return r.read(s, raw, durward.Deny, "", nil)
}

// judgeOut looks for secrets, personal data and planted values.
func (r *reading) judgeOut(text []byte, parts []piece) {
	s := r.scope
	if s.honeyHidden(text) {
		s.take(r.note(), honeyFinding(r.pointer(parts[0].span.Start)), durward.Deny)
	}
	finds, whole := dlp.Look(nil, text)
	if !whole {
		r.partial()
	}
	if len(finds) == 0 {
		return
	}
	rep := &Report{Effect: durward.Redact, finds: finds}
	for _, f := range finds {
		p := pieceAt(parts, f.Start, f.End)
		if p == nil || f.Class == dlp.Secret && s.declares(r.pointer(p.span.Start)) {
			continue
		}
		id, score := "arguments.secret", 0.9
		if f.Class == dlp.Personal {
			id, score = "arguments.personal", 0.75
		}
		if f.Sure || f.Class == dlp.Secret && sure(text[p.start:p.end]) { // its name alone says that it may be one
			score += 0.08
		} else if f.Class == dlp.Secret && s.stranger(r.pointer(p.span.Start)) {
			score += 0.06
		} else if f.Class == dlp.Secret && s.role.Sink { // told by a label only, and on its way to others
			score += 0.06
		}
		of := rule(id)
		found := durward.Finding{Rule: of.ID, Vector: of.Vector, Severity: of.Severity, Score: score, Where: r.pointer(p.span.Start), Evidence: f.Kind}
		if s.take(r.note(), found, durward.Deny) == durward.Redact {
			rep.spans = append(rep.spans, span{f.Start, f.End})
		}
	}
	if len(rep.spans) == 0 {
		return
	}
	for k := range parts {
		r.cut(rep, text, parts, k, false)
	}
}

// sure reports a value that is a credential whatever its field is called.
func sure(value []byte) bool {
	finds, _ := dlp.Look(nil, value)
	for _, f := range finds {
		if f.Sure && f.Class == dlp.Secret {
			return true
		}
	}
	return false
}

// pieceAt finds the piece that holds most of a find: its end.
func pieceAt(parts []piece, start, end int) *piece {
	for i := range parts {
		if start < parts[i].end && end > parts[i].start {
			return &parts[i]
		}
	}
	return nil
}

// Restore puts secrets back in the place of their tokens. find knows those
// that came from where the call goes.
func (s *Scope) Restore(raw []byte, find func(token string) (string, bool)) []byte {
	if !s.restore || !bytes.Contains(raw, []byte("[secret:")) {
		return nil
	}
	return rewrite(raw, func(text string) string {
		if !strings.Contains(text, "[secret:") {
			return text
		}
		return restored(text, find)
	})
}

// rewrite puts what become of the strings of a message in their places; nil
// when all stay as they are.
func rewrite(raw []byte, become func(string) string) []byte {
	var edits []mcpwire.Edit
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			break
		}
		from := i + n
		end := stringEnd(raw, from)
		if end < 0 {
			break
		}
		i = end
		text, ok := mcpwire.Text(raw[from:end])
		if !ok {
			continue
		}
		if after := become(text); after != text {
			edits = append(edits, mcpwire.Edit{Span: durward.Span{Start: from, End: end}, New: mcpwire.Quote(after)})
		}
	}
	if len(edits) == 0 {
		return nil
	}
	return mcpwire.Splice(raw, edits...)
}

func restored(text string, find func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "[secret:")
		if i < 0 {
			break
		}
		end := strings.IndexByte(text[i:], ']')
		if end < 0 {
			break
		}
		token := text[i : i+end+1]
		b.WriteString(text[:i])
		if value, ok := find(token); ok {
			b.WriteString(value)
		} else {
			b.WriteString(token)
		}
		text = text[i+end+1:]
	}
	return b.String() + text
}

// Question inspects what a server asks of a person or a model.
func (s *Scope) Question(params []byte) *Seen { return s.After(nil).Question(params) }

// Question is [Scope.Question].
func (l Listener) Question(params []byte) *Seen {
	s := l.scope
	if s.off {
		return nothing
	}
	read := l.Asked(params)
	asked := s.engine.Ask(params)
	var v *Seen
	for _, f := range asked.Findings {
		if f.Rule != "elicitation.secret" { // the texts were read already
			continue
		}
		if v == nil {
			v = &Seen{Effect: durward.Allow, Score: asked.Score}
		}
		s.take(v, f, durward.Deny)
	}
	if v == nil {
		return read
	}
	v.Merge(read)
	v.Body = read.Body
	return v
}

// Restores reports whether secrets of the upstream are put back.
func (s *Scope) Restores() bool { return s.restore }

// Untrusted reports whether strangers may have written what the operation returns.
func (s *Scope) Untrusted() bool { return s.role.Untrusted }

// destinations judges whom a call is aimed at, when that is limited. allowed
// reports that all of them are on the list.
func (s *Scope) destinations(v *Seen, args []byte) (allowed bool) {
	if len(s.to) == 0 {
		return false
	}
	r := rule("flow.destination")
	found := flow.Targets(args)
	if len(found) == 0 {
		s.take(v, durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: 0.9, Evidence: "it cannot be told whom the call sends to"}, durward.Deny)
		return false
	}
	for _, t := range found {
		if !s.mayGo(t) {
			s.take(v, durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: 0.95, Evidence: cut(t + " is not on the list")}, durward.Deny)
			return false
		}
	}
	return true
}

func (s *Scope) mayGo(target string) bool {
	for _, p := range s.to {
		if Match(strings.ToLower(p), target) {
			return true
		}
	}
	return false
}
