package guard

import (
	"bytes"

	"durward"
	"durward/internal/guard/carrier"
)

// A feint is a mark by which models are told who speaks, or by which they call
// tools. In what a tool returns it has no honest place but where it is shown as
// an example.
type feint struct{ open, end string }

// feints are the marks, in lower case.
var feints = []feint{
	{"<|im_start|>", "<|im_end|>"}, {"<|im_end|>", ""}, {"<|im_sep|>", "<|im_end|>"}, {"<|start_header_id|>", "<|eot_id|>"}, {"<|eot_id|>", ""},
	{"<|begin_of_text|>", "<|eot_id|>"}, {"<|endoftext|>", ""}, {"<|system|>", "<|end|>"}, {"<|user|>", "<|end|>"}, {"<|assistant|>", "<|end|>"}, {"<|start|>", "<|end|>"},
	{"<|channel|>", "<|end|>"}, {"<|message|>", "<|end|>"}, {"<|python_tag|>", "<|eom_id|>"}, {"<start_of_turn>", "<end_of_turn>"}, {"<<sys>>", "<</sys>>"},
	{"[inst]", "[/inst]"}, {"[system_prompt]", "[/system_prompt]"}, {"[available_tools]", "[/available_tools]"},
	{"<function_calls>", "</function_calls>"}, {"<invoke name=", "</invoke>"},
	{"<function_results>", "</function_results>"}, {"<tool_call>", "</tool_call>"}, {"<tool_use>", "</tool_use>"}, {"<tool_result>", "</tool_result>"}, {"<function=", "</function>"},
}

const (
	mostFeint = 2 << 10 // bytes that are cut with a mark that opens
	leastSaid = 12      // letters behind a mark, for it to say something
)

// roles reports marks of a conversation, and cuts them with what they frame.
// Shown as an example, in quotes or as code, they are only told.
func (e *Engine) roles(r *Report, p *carrier.Piece) {
	h := hunt{t: p.Text, next: [2]int{-1, -1}, folded: p.Moved}
	for f := h.find(); f != nil; f = h.find() {
		mine, at := rule("result.role"), h.i
		end, score := framed(h.t, at, f), 0.92
		switch {
		case h.shown():
			end, score = at+len(f.open), 0.3
		case letters(h.t[at+len(f.open):end]) < leastSaid:
			score = 0.45
		}
		o := p.Original(at, end)
		effect := e.add(r, mine, score, where(o), excerpt(h.t[at:min(end, at+mostEvidence)]))
		if effect <= durward.Redact {
			r.spans = append(r.spans, span{o.Start, o.End})
		}
		h.to(end)
	}
}

// hunt goes over a text from mark to mark.
type hunt struct {
	t      []byte
	i      int
	next   [2]int // where < and [ stand next
	seen   int    // up to where was counted
	fences int    // of code
	ticks  int    // in the line
	folded bool   // there are no capitals
}

// find goes to the next mark.
func (h *hunt) find() *feint {
	for {
		for k, c := range [2]byte{'<', '['} {
			if h.next[k] < h.i {
				h.next[k] = len(h.t)
				if n := bytes.IndexByte(h.t[h.i:], c); n >= 0 {
					h.next[k] = h.i + n
				}
			}
		}
		h.i = min(h.next[0], h.next[1])
		if h.i+1 >= len(h.t) {
			return nil
		}
		for _, f := range feintsBy[openers(h.t[h.i])][h.t[h.i+1]] {
			if h.i+2 < len(h.t) && h.t[h.i+2]|0x20 == f.open[2]|0x20 && foldPrefix(h.t[h.i:], f.open) && (h.folded || f.open[0] != '[' || h.t[h.i+1] < 'a') { // [INST] is one, a[inst] none
				return f
			}
		}
		h.i++
	}
}

func (h *hunt) to(i int) { h.i = max(i, h.i+1) }

// shown reports a mark in quotes or as code.
func (h *hunt) shown() bool {
	for ; h.seen < h.i; h.seen++ {
		switch h.t[h.seen] {
		case '\n':
			h.ticks = 0
			if bytes.HasPrefix(h.t[h.seen+1:], []byte("```")) {
				h.fences++
				h.seen += 3
			}
		case '`':
			h.ticks++
		}
	}
	if h.i > 0 && (h.t[h.i-1] == '\'' || h.t[h.i-1] == '"') {
		return true
	}
	return h.ticks%2 == 1 || h.fences%2 == 1
}

// feintsBy lists the marks by what opens them and their second byte.
var feintsBy = func() (t [2][256][]*feint) {
	for i := range feints {
		f := &feints[i]
		c, second := openers(f.open[0]), f.open[1]
		t[c][second] = append(t[c][second], f)
		if 'a' <= second && second <= 'z' {
			t[c][second&^0x20] = t[c][second]
		}
	}
	return t
}()

func openers(c byte) int {
	if c == '<' {
		return 0
	}
	return 1
}

func foldPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}

// framed is where what a mark frames ends: behind the mark that closes it, else
// with the paragraph.
func framed(t []byte, at int, f *feint) int {
	from := at + len(f.open)
	within := t[from:min(len(t), from+mostFeint)]
	if f.end == "" {
		return from
	}
	for i := 0; i < len(within); i++ {
		if (within[i] == '<' || within[i] == '[') && foldPrefix(within[i:], f.end) {
			return from + i + len(f.end)
		}
	}
	if n := bytes.Index(within, []byte("\n\n")); n >= 0 {
		return from + n
	}
	return from + len(within)
}

func letters(b []byte) int {
	n := 0
	for _, c := range b {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80 {
			n++
		}
	}
	return n
}
