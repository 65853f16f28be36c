package guard

import (
	"bytes"
	"strconv"

	"durward/internal/guard/carrier"
	"durward/internal/guard/model"
)

func itoa(n int) string { return strconv.Itoa(n) }

// setting is what a text is about, as far as it changes how a passage is read.
type setting struct {
	discusses int // mentions of attacks as a subject
}

// surroundings looks for texts that talk about attacks: they quote them.
func surroundings(b []byte) *setting {
	s := &setting{}
	for _, w := range subjects {
		s.discusses += min(countFold(b, w), 3)
	}
	return s
}

var subjects = [][]byte{
	[]byte("prompt injection"), []byte("jailbreak"), []byte("adversarial"), []byte("attacker"), []byte("vulnerab"), []byte("red team"), []byte("red-team"), []byte("mitigat"), []byte("threat model"), []byte("guardrail"), []byte("exploit"), []byte("malicious"), []byte("owasp"), []byte("llm security"), []byte("injection attack"), []byte("detector"), []byte("probe"),
}

func countFold(b, w []byte) int {
	n := 0
	first := w[0]
	for i := 0; i+len(w) <= len(b); i++ {
		if b[i]|0x20 == first && bytes.EqualFold(b[i:i+len(w)], w) {
			n++
			i += len(w) - 1
		}
	}
	return n
}

// discount is taken off the margin of a passage that is quoted, or stands in a
// text about attacks. It is bounded: a strong passage stays one.
func (s *setting) discount(p *carrier.Piece, g *model.Passage) float32 {
	d := float32(0)
	if s.discusses >= 4 && p.Encoding == "" {
		d += 1
		if quoted(p.Text, g.Start, g.End) {
			d++
		}
	}
	return d
}

// quoted reports a passage that begins with a quotation mark or a list mark
// and a quotation mark, or stands in code marks.
func quoted(b []byte, start, end int) bool {
	head := bytes.TrimLeft(b[start:min(end, start+8)], " \t-*>`0123456789.|")
	return len(head) > 0 && (head[0] == '"' || head[0] == '\'') || bytes.Count(b[start:end], []byte{'"'}) >= 2 || bytes.IndexByte(b[start:end], '`') >= 0
}
