package guard

import (
	"sort"
	"strconv"

	"durward"
	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
	"durward/internal/guard/text"
)

// Text inspects a text that a server sent: a content item, an error message, a
// resource, a prompt, the text of an elicitation. What is to be redacted is
// cut out of the copy in the report.
//
// A report without findings may be shared between callers: it is not to be
// changed.
func (e *Engine) Text(raw []byte) *Report {
	var r Report
	if !e.text(raw, &r) {
		return e.clean
	}
	out := r // only what is needed goes to the heap
	return &out
}

// text is Text into a report of the caller's. It is false for texts in which
// nothing was found that a score could tell of.
func (e *Engine) text(raw []byte, out *Report) bool {
	i := e.texts.Get().(*inspection)
	defer e.texts.Put(i)
	r := &i.report
	*r, i.worst = Report{Effect: durward.Allow, Would: durward.Allow}, model.LeastMargin
	whole := i.reader.Text(raw, "", lexicon.Set{}, i.see)
	within(r, i.reader.Inside())
	whole = e.secrets(r, raw) && whole
	if i.worst == model.LeastMargin && whole && len(r.Findings) == 0 {
		*out = *e.clean
		return false
	}
	r.orders, r.hot = e.response.Probability(i.worst), i.worst != model.LeastMargin
	r.Score = max(r.Score, r.orders)
	e.partial(r, whole)
	e.cut(r, raw)
	*out, *r = *r, Report{}
	return true
}

// inspection is what the inspection of a text needs, used again for the next.
type inspection struct {
	reader *carrier.Reader
	report Report
	worst  float32 // margin
	see    func(*carrier.Piece)
}

func (e *Engine) newInspection() *inspection {
	i := &inspection{reader: carrier.NewReader(e.lex)}
	i.reader.Weigh(e.response)
	i.see = func(p *carrier.Piece) {
		e.hiddenReply(&i.report, p)
		e.roles(&i.report, p)
		top := float32(model.LeastMargin)
		for k := range p.Passages {
			top = max(top, e.response.Margin(&p.Passages[k]))
		}
		i.worst = max(i.worst, top)
		if p.Encoding == "hidden" || p.Encoding == "comment" {
			e.unseen(&i.report, p, top)
		} else if e.response.Tells(top) {
			e.orders(&i.report, p)
		}
	}
	return i
}

// within confines cuts to the strings of a JSON text, so that it stays one.
func within(r *Report, strings []text.Span) {
	if len(strings) == 0 || len(r.spans) == 0 {
		return
	}
	var out []span
	for _, s := range r.spans {
		k := sort.Search(len(strings), func(i int) bool { return strings[i].End > s.start })
		for _, in := range strings[k:] {
			if in.Start >= s.end {
				break
			}
			out = append(out, span{max(s.start, in.Start), min(s.end, in.End)})
		}
	}
	r.spans = out
}

// orders records the passages of a piece that tell, and marks what is to be
// cut: of two sentences only those that are suspicious themselves, unless it
// takes both.
func (e *Engine) orders(r *Report, p *carrier.Piece) {
	mine := rule("result.instruction")
	if p.Encoding != "" && p.Encoding != "json" {
		mine = rule("result.encoded")
	}
	mine.Act = max(mine.Act, e.response.Act())
	alone := map[int]*model.Passage{}
	for i := range p.Passages {
		if n, pair := p.Passages[i].Sentences(); !pair {
			alone[n] = &p.Passages[i]
		}
	}
	last := -1
	for i := range p.Passages {
		g := &p.Passages[i]
		m := e.response.Margin(g)
		if !e.response.Tells(m) {
			continue
		}
		score := e.response.Probability(m)
		r.Score = max(r.Score, score)
		at := p.Original(g.Start, g.End)
		if last >= 0 && at.Start <= r.reached { // the same place
			r.Findings[last].Score = max(r.Findings[last].Score, round(score))
		} else {
			e.weigh(r, mine, score)
			last = r.put(durward.Finding{
				Rule: mine.ID, Vector: mine.Vector, Severity: mine.severity(score), Score: round(score), Where: where(at), Evidence: excerpt(p.Text[g.Start:g.End]),
			})
		}
		r.reached = at.End + 1
		if score >= mine.Act && e.mode(mine).effect() <= durward.Redact {
			e.mark(r, p, g, alone)
		}
	}
	e.settle(r, mine)
}

// settle applies what a finding that grew by its neighbours may do.
func (e *Engine) settle(r *Report, mine Rule) {
	effect := max(e.mode(mine).effect(), mine.least(r.Score))
	r.Would = min(r.Would, max(mine.Mode.effect(), mine.least(r.Score)))
	if e.mode(mine) != Observe {
		r.Effect = min(r.Effect, effect)
	}
}

// near is how far below telling a sentence may be that is cut as half of a
// passage that tells.
const near = 2.2

func (e *Engine) mark(r *Report, p *carrier.Piece, g *model.Passage, alone map[int]*model.Passage) {
	first, pair := g.Sentences()
	cut := false
	if pair {
		for _, n := range []int{first, first + 1} {
			if s := alone[n]; s != nil && e.response.Tells(e.response.Margin(s)+near) {
				at := p.Original(s.Start, s.End)
				r.spans, cut = append(r.spans, span{at.Start, at.End}), true
			}
		}
	}
	if !cut {
		at := p.Original(g.Start, g.End)
		r.spans = append(r.spans, span{at.Start, at.End})
	}
}

const mostFindings = 32

// hiddenReply cuts hidden characters out of results.
func (e *Engine) hiddenReply(r *Report, p *carrier.Piece) {
	s := p.Signals
	switch {
	case s.Tags > 0 || s.Selectors > 0 || s.Concealed > 0 || s.ZeroWidth > 8:
		e.add(r, rule("result.hidden"), 0.95, p.Where, "characters that are not shown")
		for _, h := range p.Hidden {
			r.spans = append(r.spans, span{h.Start, h.End})
		}
	case s.ZeroWidth > 2 || s.Bidi > 0 && s.ZeroWidth > 0:
		e.add(r, rule("result.hidden"), 0.45, p.Where, "characters that are not shown")
	}
}

// loud is how far below telling what an element hides may be: what people do
// not see has no reason to speak to a model.
const loud = 1.2

// unseen cuts what markup hides when it gives orders.
func (e *Engine) unseen(r *Report, p *carrier.Piece, margin float32) {
	if p.Encoding == "hidden" {
		margin += loud
	}
	if !e.response.Tells(margin) {
		return
	}
	o := p.Original(0, 0)
	if e.add(r, rule("result.hidden"), max(0.93, e.response.Probability(margin)), where(o), "orders in what markup hides") <= durward.Redact {
		r.spans = append(r.spans, span{o.Start, o.End})
	}
}

// lost is what a secret in a result adds to the probability of an attack.
const lost = 0.4

// secrets records credentials and personal data; false when not all of the
// text was looked at.
func (e *Engine) secrets(r *Report, raw []byte) bool {
	finds, whole := dlp.Look(nil, raw)
	for _, f := range finds {
		id, score := "secret.credential", 0.9
		if f.Class == dlp.Personal {
			id, score = "secret.personal", 0.75
		}
		if f.Sure {
			score += 0.08
		}
		before := r.Score
		effect := e.add(r, rule(id), score, where(text.Span{Start: f.Start, End: f.End}), f.Kind)
		if effect <= durward.Redact {
			r.spans = append(r.spans, span{f.Start, f.End})
		}
		r.Score = max(before, lost) // a secret is no attack by itself
	}
	if len(finds) > 0 {
		r.finds = finds
	}
	return whole
}

// cut makes the redacted copy: secrets become tokens, orders a notice.
func (e *Engine) cut(r *Report, raw []byte) {
	if len(r.spans) == 0 || r.Effect > durward.Redact {
		return
	}
	spans := r.spans
	sort.Slice(spans, func(i, j int) bool { return spans[i].start < spans[j].start })
	out := make([]byte, 0, len(raw))
	at := 0
	for k := 0; k < len(spans); k++ {
		s := spans[k]
		for k+1 < len(spans) && spans[k+1].start < s.end { // overlapping: one cut
			k++
			s.end = max(s.end, spans[k].end)
		}
		if s.start < at || s.end > len(raw) {
			continue
		}
		out = append(out, raw[at:s.start]...)
		out = append(out, e.stand(r, raw, s)...)
		at = s.end
	}
	r.Redacted = append(out, raw[at:]...)
}

// stand is what takes the place of a cut.
func (e *Engine) stand(r *Report, raw []byte, s span) string {
	k := sort.Search(len(r.finds), func(i int) bool { return r.finds[i].Start >= s.start })
	if k == len(r.finds) || r.finds[k].Start != s.start || r.finds[k].End != s.end {
		return notice
	}
	if f := r.finds[k]; f.Quote {
		return `"` + e.redactor.Token(f, raw) + `"`
	}
	return e.redactor.Token(r.finds[k], raw)
}

const notice = "[removed: instructions in a result]"

func where(s text.Span) string {
	return "bytes " + strconv.Itoa(s.Start) + "-" + strconv.Itoa(s.End)
}
