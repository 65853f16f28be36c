package flow

import (
	"bytes"

	"durward/internal/guard/carrier"
)

// Labels are what a session has seen, without what it was.
type Labels struct {
	Untrusted bool    // texts that strangers may have written
	Injected  float64 // the highest score of orders in them
	Private   Class
}

// Labels returns what the session has seen.
func (s *Session) Labels() Labels {
	return Labels{Untrusted: s.seen.untrusted, Injected: s.seen.injected, Private: s.seen.private}
}

// Or returns the stricter of both in everything.
func (l Labels) Or(o Labels) Labels {
	return Labels{Untrusted: l.Untrusted || o.Untrusted, Injected: max(l.Injected, o.Injected), Private: max(l.Private, o.Private)}
}

// Carry begins a session where another one ended of which only the labels are
// left. What was private in it can no longer be compared with what is sent: a
// way out for more than a few words is then a finding of its own.
func (s *Session) Carry(l Labels) {
	s.seen.untrusted = s.seen.untrusted || l.Untrusted
	s.seen.injected = max(s.seen.injected, l.Injected)
	s.seen.private = max(s.seen.private, l.Private)
	s.lost = max(s.lost, l.Private)
}

// Forgive ends that: what was private then is old by now.
func (s *Session) Forgive() { s.lost = Public }

// What leaves by a session that lost its memory may be as long as this, in
// letters and digits.
const (
	mostSent    = 12 // of what is sent to somebody
	mostFetched = 32 // of an address or a question
)

// forgotten is the rule for what cannot be compared any more.
func (s *Session) forgotten() Finding {
	score := 0.8
	switch {
	case s.lost < Personal: // it was compared with most of it
		return Finding{Rule: "forgotten", Score: 0.4, What: "more private data was read than is remembered: what is sent was compared with a part of it"}
	case s.lost == Secret:
		score = 0.9
	}
	return Finding{Rule: "forgotten", Score: score, What: "private data was read before, and what it was is not remembered"}
}

// carries reports that a call of a tool that reaches outside carries more than
// a few words.
func (s *Session) carries(way Reach, args []byte) bool {
	long := false
	carrier.Walk(args[:min(len(args), maxSent)], func(_ []string, value []byte, key bool) {
		if key && carrier.IsName(value) || long || !goes(way, value) {
			return
		}
		rest := s.unread(value)
		if i := bytes.Index(rest, []byte("://")); i >= 0 {
			rest = rest[i+3:]
			if n := bytes.IndexAny(rest, "/?#"); n >= 0 {
				rest = rest[n:]
			}
		}
		long = len(squeeze(nil, rest)) > mostFetched
	})
	return long
}
