package audit

import (
	"bytes"
	"time"
)

// Filter chooses records; its zero value takes all. Fields that are set must
// all match, to the letter.
type Filter struct {
	Since time.Time // of arrival, included
	Until time.Time // of arrival, excluded
	After uint64    // only records with a greater sequence number

	// All takes also the intents, which are no records of calls: what is known
	// of a call before it is made.
	All bool

	ID, Agent, Key, User, Session string
	Method, Upstream, Tool        string
	Verdict, Reason, Outcome      string
	Rule                          string

	// Text is looked for anywhere in a record but its hashes, in either case;
	// a record with this very id is taken, too.
	Text string
}

// sieve is a Filter made ready for many lines: it looks at them as they stand
// in the file and decodes none.
type sieve struct {
	since, until []byte // nil for no bound
	after        uint64
	texts        []text
	text         *anywhere
	all          bool // intents, too
}

// anywhere is a text that may stand in any field.
type anywhere struct {
	lower   []byte
	id      []byte
	grams   []uint64 // of its groups of three letters
	scratch []byte
}

// text is a field that must have a value.
type text struct {
	key    []byte // ,"name":
	value  []byte // "value"
	behind bool   // the field stands behind the arguments
}

func newSieve(f Filter) *sieve {
	s := &sieve{after: f.After, all: f.All}
	if !f.Since.IsZero() {
		s.since = appendTime(nil, f.Since)
	}
	if !f.Until.IsZero() {
		s.until = appendTime(nil, f.Until)
	}
	s.ask(`,"id":`, f.ID, false)
	s.ask(`,"agent":`, f.Agent, false)
	s.ask(`,"key":`, f.Key, false)
	s.ask(`,"user":`, f.User, false)
	s.ask(`,"session":`, f.Session, false)
	s.ask(`,"method":`, f.Method, false)
	s.ask(`,"upstream":`, f.Upstream, false)
	s.ask(`,"tool":`, f.Tool, false)
	s.ask(`,"verdict":`, f.Verdict, true)
	s.ask(`,"reason":`, f.Reason, true)
	s.ask(`,"outcome":`, f.Outcome, true)
	s.ask(`,"rule":`, f.Rule, true)
	if f.Text != "" {
		escaped := appendEscaped(nil, f.Text)
		s.text = &anywhere{lower: lowered(nil, escaped), id: append(escaped, '"')}
		for i := 0; i+3 <= len(s.text.lower); i++ {
			s.text.grams = append(s.text.grams, hashOfToken(nil, s.text.lower[i:i+3]))
		}
	}
	return s
}

func (s *sieve) ask(key, value string, behind bool) {
	if value != "" {
		s.texts = append(s.texts, text{[]byte(key), appendText(nil, value, maxText), behind})
	}
}

func (s *sieve) takes(l *line) bool {
	switch {
	case l.seq <= s.after:
		return false
	case s.since != nil && bytes.Compare(l.time, s.since) < 0:
		return false
	case s.until != nil && bytes.Compare(l.time, s.until) >= 0:
		return false
	case !s.all && l.isIntent():
		return false
	}
	for i := range s.texts {
		if !s.texts[i].in(l.raw) {
			return false
		}
	}
	return s.text == nil || s.text.in(l.raw)
}

// in looks for the text.
func (t *anywhere) in(raw []byte) bool {
	part := searchable(raw)
	t.scratch = lowered(t.scratch[:0], part)
	if bytes.Contains(t.scratch, t.lower) {
		return true
	}
	head := raw[:len(raw)-len(part)]
	_, id, ok := bytes.Cut(head, []byte(`,"id":"`))
	return ok && bytes.HasPrefix(id, t.id)
}

// in looks for the field. Quotes inside of texts are escaped, so a key is found
// only where it is one: in the record, or inside of what was kept of arguments
// and results. Those stand between the fields before and the fields behind.
func (t *text) in(raw []byte) bool {
	if t.behind {
		raw = raw[max(bytes.LastIndex(raw, []byte(`,"verdict":`)), 0):]
		i := bytes.LastIndex(raw, t.key)
		return i >= 0 && bytes.HasPrefix(raw[i+len(t.key):], t.value)
	}
	i := bytes.Index(raw, t.key)
	if i < 0 || !bytes.HasPrefix(raw[i+len(t.key):], t.value) {
		return false
	}
	return !bytes.Contains(raw[:i], []byte(`,"args":`)) && !bytes.Contains(raw[:i], []byte(`,"result":`))
}
