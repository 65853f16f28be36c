package guard

import (
	"durward/internal/guard/carrier"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
	"durward/internal/mcpwire"
)

// List inspects the definitions of one server together: orders that were split
// over several of them, each harmless by itself. It reads the descriptions
// behind each other, forwards and backwards.
func (e *Engine) List(definitions [][]byte) *Report {
	r := newReport()
	var texts []string
	for _, d := range definitions {
		if s, ok := mcpwire.FieldText(d, "description"); ok && s != "" {
			texts = append(texts, s)
		}
	}
	if len(texts) < 2 {
		return r
	}
	reader := e.readers.Get().(*carrier.Reader)
	defer e.readers.Put(reader)
	alone := float32(model.LeastMargin)
	for _, s := range texts {
		alone = max(alone, e.margin(reader, []byte(s)))
	}
	joint := max(e.margin(reader, joined(texts, false)), e.margin(reader, joined(texts, true)))
	r.Score = e.definition.Probability(alone)
	if e.definition.Tells(joint) && !e.definition.Tells(alone) && joint > alone+jump {
		e.add(r, rule("definition.split"), e.definition.Probability(joint), "", "the descriptions, read in order")
	}
	return r
}

const (
	jump     = 0.5     // what joining must add, so that chance neighbours do not
	mostList = 1 << 20 // bytes of descriptions that are read together
)

func (e *Engine) margin(reader *carrier.Reader, b []byte) float32 {
	m := float32(model.LeastMargin)
	reader.Text(b, "", lexicon.Set{}, func(p *carrier.Piece) {
		for i := range p.Passages {
			m = max(m, e.definition.Margin(&p.Passages[i]))
		}
	})
	return m
}

// joined puts descriptions into one text, without a mark between them.
func joined(texts []string, backwards bool) []byte {
	var out []byte
	for i := range texts {
		s := texts[i]
		if backwards {
			s = texts[len(texts)-1-i]
		}
		if len(out)+len(s) > mostList {
			break
		}
		out = append(append(out, s...), ' ')
	}
	return out
}
