package guard

import (
	"bytes"

	"durward"
)

// Stream inspects a text that arrives in pieces and hands on what is settled:
// whole sentences, with at most a window of the text held back. What was
// handed on is kept as context for a while, so that a sentence split between
// pieces, or between two hand-overs, is read as one. It is used by one
// goroutine at a time.
type Stream struct {
	engine  *Engine
	context []byte // handed on
	held    []byte
	total   Report
}

const (
	streamContext = 600
	streamHold    = 2 << 10
	keyHold       = 16 << 10 // an open private key is held up to its end
)

// NewStream begins a text.
func (e *Engine) NewStream() *Stream {
	return &Stream{engine: e, total: Report{Effect: durward.Allow, Would: durward.Allow}}
}

// Write takes the next piece and returns what may be handed on, and the report
// of the text so far. From an effect of Hold or Deny on, nothing more is.
func (s *Stream) Write(piece []byte) ([]byte, *Report) {
	s.held = append(s.held, piece...)
	return s.release(s.settled())
}

// Close returns the rest.
func (s *Stream) Close() ([]byte, *Report) { return s.release(len(s.held)) }

// settled is how much of the held text ends with a sentence, or has to go
// because the window is full.
func (s *Stream) settled() int {
	most := streamHold
	if k := bytes.LastIndex(s.held, []byte("-----BEGIN ")); k >= 0 && !bytes.Contains(s.held[k:], []byte("-----END ")) {
		if len(s.held) < keyHold {
			return k
		}
		most = keyHold
	}
	if cut := bytes.LastIndexByte(s.held, '\n'); cut > 0 && len(s.held)-cut < most {
		return cut + 1
	}
	for i := len(s.held) - 2; i > 0; i-- {
		if c := s.held[i]; (c == '.' || c == '!' || c == '?') && s.held[i+1] == ' ' {
			return i + 1
		}
	}
	if len(s.held) > most {
		return len(s.held) - most/2
	}
	return 0
}

func (s *Stream) release(n int) ([]byte, *Report) {
	if n == 0 || s.total.Effect <= durward.Hold {
		return nil, s.report()
	}
	text := append(append([]byte(nil), s.context...), s.held[:n]...)
	r := s.engine.Text(text)
	s.total.Merge(r)
	out := text[len(s.context):]
	if r.Redacted != nil {
		out = s.engine.after(r, text, len(s.context))
	}
	s.context = append(s.context, s.held[:n]...)
	if over := len(s.context) - streamContext; over > 0 {
		s.context = append(s.context[:0], s.context[over:]...)
	}
	s.held = append(s.held[:0], s.held[n:]...)
	if s.total.Effect <= durward.Hold {
		return nil, s.report()
	}
	return out, s.report()
}

func (s *Stream) report() *Report {
	r := s.total
	return &r
}

// after is the redacted text behind from; a span that began before is cut from
// there on.
func (e *Engine) after(r *Report, raw []byte, from int) []byte {
	part := Report{Effect: r.Effect, finds: r.finds}
	for _, s := range r.spans {
		if s.end > from {
			part.spans = append(part.spans, span{max(s.start, from), s.end})
		}
	}
	e.cut(&part, raw)
	if part.Redacted == nil {
		return raw[from:]
	}
	return part.Redacted[from:]
}
