package guard

import (
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
	"durward/internal/guard/model"
	"durward/internal/mcpwire"
)

// Definition inspects the definition of a tool, prompt, resource or template
// as received: every string and key of it.
func (e *Engine) Definition(raw []byte) *Report {
	r := newReport()
	reader := e.readers.Get().(*carrier.Reader)
	defer e.readers.Put(reader)
	j := judged{margin: model.LeastMargin}
	whole := reader.Definition(raw, func(p *carrier.Piece) {
		e.hidden(r, p, "definition.hidden")
		e.layout(r, p)
		j.consider(p, e.definition)
	})
	if p := e.definition.Probability(j.margin); p >= rule("definition.instruction").Flag {
		id := "definition.instruction"
		if j.encoded {
			id = "definition.encoded"
		}
		e.add(r, rule(id), p, j.where, j.evidence)
	} else {
		r.Score = max(r.Score, p)
	}
	e.contradictions(r, raw)
	e.channels(r, raw)
	e.nameForm(r, raw)
	e.partial(r, whole)
	return r
}

// judged is the worst passage so far.
type judged struct {
	margin   float32
	where    string
	evidence string
	encoded  bool
}

func (j *judged) consider(p *carrier.Piece, w *model.Weights) {
	for i := range p.Passages {
		m := w.Margin(&p.Passages[i])
		if m <= j.margin || protects(p.Text[p.Passages[i].Start:p.Passages[i].End]) {
			continue
		}
		*j = judged{margin: m, where: p.Where, evidence: excerpt(p.Text[p.Passages[i].Start:p.Passages[i].End]), encoded: p.Encoding != ""}
	}
}

const mostEvidence = 160

// excerpt bounds what a finding shows, and keeps secrets out of it.
func excerpt(b []byte) string {
	finds, _ := dlp.Look(nil, b)
	b = dlp.NewRedactor(nil).Redact(b, finds)
	s := strings.ToValidUTF8(strings.Join(strings.Fields(string(b)), " "), "?")
	if len(s) > mostEvidence {
		s = strings.ToValidUTF8(s[:mostEvidence], "") + "…"
	}
	return s
}

// hidden reports characters that people do not see.
func (e *Engine) hidden(r *Report, p *carrier.Piece, id string) {
	s := p.Signals
	switch {
	case s.Hidden():
		e.add(r, rule(id), 0.98, p.Where, "characters that are not shown")
	case s.Escapes > 0:
		e.add(r, rule(id), 0.9, p.Where, "terminal sequences that move or erase")
	case s.Homoglyphs >= 2 || s.Styled >= 6:
		e.add(r, rule(id), 0.85, p.Where, "letters of other alphabets within words")
	case s.Homoglyphs == 1:
		e.add(r, rule(id), 0.4, p.Where, "a letter of another alphabet within a word")
	}
}

// layout reports text pushed out of sight by blanks or lines.
func (e *Engine) layout(r *Report, p *carrier.Piece) {
	if p.Encoding != "" {
		return
	}
	blanks, lines := 0, 0
	for _, c := range p.Text {
		switch {
		case c == '\n':
			lines++
			blanks++
		case c <= ' ':
			blanks++
		default:
			if blanks >= 200 || lines >= 20 {
				e.add(r, rule("definition.layout"), 0.9, p.Where, "text behind a long run of blanks")
				return
			}
			blanks, lines = 0, 0
		}
	}
}

// channels reports parameters by which more comes in than a tool needs: what
// the model knows of itself and of the conversation.
func (e *Engine) channels(r *Report, raw []byte) {
	schema, _ := mcpwire.Field(raw, "inputSchema")
	if !mcpwire.IsObject(schema) {
		return
	}
	props, _ := mcpwire.Field(schema, "properties")
	if !mcpwire.IsObject(props) {
		return
	}
	for name := range mcpwire.Fields(props) {
		if score := channel(name); score > 0 {
			e.add(r, rule("definition.channel"), score, "/inputSchema/properties/"+escapePointer(name), "a parameter named "+cut(name))
		}
	}
}

// channel is how suspicious the name of a parameter is. Tools that serve models
// have a use for some of them.
func channel(name string) float64 {
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "sidenote", "sidenotes", "toolslist", "listoftools", "toolcallhistory", "previoustoolcalls", "chainofthought", "fullconversation", "entireconversation", "allpreviousmessages", "modelcontext":
		return 0.6
	case "conversationhistory", "chathistory", "systemprompt", "systeminstructions", "previousmessages", "allmessages", "availabletools", "agentinstructions":
		return 0.35
	}
	return 0
}

// nameForm reports names outside the characters of MCP 2026-07-28 (server/tools).
func (e *Engine) nameForm(r *Report, raw []byte) {
	name, ok := mcpwire.FieldText(raw, "name")
	if !ok {
		return
	}
	if len(name) > 128 {
		e.add(r, rule("definition.name"), 0.1, "/name", "longer than 128 characters")
		return
	}
	for i := range len(name) {
		c := name[i]
		if c != '_' && c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			e.add(r, rule("definition.name"), 0.1, "/name", "characters outside A-Z a-z 0-9 _ . -")
			return
		}
	}
}

func (e *Engine) partial(r *Report, whole bool) {
	if whole {
		return
	}
	r.Partial = true
	before := r.Score
	e.add(r, rule("guard.partial"), 0.5, "", "not_fully_inspected")
	r.Score = max(before, lost) // what was not seen is no attack by itself, and no pass
}
