package audit

import (
	"bytes"
	"encoding/json"
	"time"
)

// Filter chooses records; its zero value takes all. Fields that are set must
// all match, to the letter.
type Filter struct {
	Since time.Time // of arrival, included
	Until time.Time // of arrival, excluded
	After uint64    // only records with a greater sequence number

	ID, Agent, Key, User, Session string
	Method, Upstream, Tool        string
	Verdict, Reason, Outcome      string
}

// sieve is a Filter made ready for many lines. Texts are compared as they
// stand in the file, so that most lines need not be decoded.
type sieve struct {
	since, until []byte // nil for no bound
	after        uint64
	texts        []text
}

// text is a field that must have a value.
type text struct {
	name   string
	needle []byte // "name":"value", which a match contains
	value  []byte // "value"
}

func newSieve(f Filter) *sieve {
	s := &sieve{after: f.After}
	if !f.Since.IsZero() {
		s.since = appendTime(nil, f.Since)
	}
	if !f.Until.IsZero() {
		s.until = appendTime(nil, f.Until)
	}
	s.ask("id", f.ID)
	s.ask("agent", f.Agent)
	s.ask("key", f.Key)
	s.ask("user", f.User)
	s.ask("session", f.Session)
	s.ask("method", f.Method)
	s.ask("upstream", f.Upstream)
	s.ask("tool", f.Tool)
	s.ask("verdict", f.Verdict)
	s.ask("reason", f.Reason)
	s.ask("outcome", f.Outcome)
	return s
}

func (s *sieve) ask(name, value string) {
	if value == "" {
		return
	}
	quoted := appendText(nil, value, maxText)
	s.texts = append(s.texts, text{name, append([]byte(`"`+name+`":`), quoted...), quoted})
}

func (s *sieve) takes(l *line) bool {
	switch {
	case l.seq <= s.after:
		return false
	case s.since != nil && bytes.Compare(l.time, s.since) < 0:
		return false
	case s.until != nil && bytes.Compare(l.time, s.until) >= 0:
		return false
	}
	for i := range s.texts {
		if !bytes.Contains(l.raw, s.texts[i].needle) {
			return false
		}
	}
	return len(s.texts) == 0 || s.confirms(l)
}

// confirms makes sure that the needles are the record's own fields, and not
// something inside of its arguments.
func (s *sieve) confirms(l *line) bool {
	var own map[string]json.RawMessage
	if json.Unmarshal(l.raw, &own) != nil {
		return false
	}
	for i := range s.texts {
		if !bytes.Equal(own[s.texts[i].name], s.texts[i].value) {
			return false
		}
	}
	return true
}
