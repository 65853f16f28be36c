// Package flow follows data across the calls of one session: what was read
// that is private, what was read that a stranger may have written, and whether
// a later call carries the first out or obeys the second.
//
// It keeps fingerprints of private results, never the results, and a bounded
// window of what strangers wrote; both are forgotten with the session. Content
// that was encoded, split over calls or re-cased is still recognised. What it
// cannot recognise - a paraphrase, an encryption - is left to the rule that
// private data, strangers' words and a way out must not meet unapproved.
//
// A Session is used by one goroutine at a time and takes at most about 200 KiB.
package flow

import (
	"bytes"

	"durward/internal/guard/dlp"
)

// Class orders how private data is.
type Class uint8

// The classes.
const (
	Public Class = iota
	Internal
	Personal
	Secret
)

// Finding is a reason to hold or block a call.
type Finding struct {
	Rule  string // exfiltration, trifecta, provenance
	Score float64
	Where string
	What  string
}

// Role is what a tool does to the flow. Operators declare it; Suggest guesses.
type Role struct {
	Untrusted bool // its results may be written by strangers
	Private   Class
	Work      bool // what makes its results private is guessed: mail, tickets, chats, which mostly are not
	Sink      bool // its arguments leave our hands
	Acts      bool // it changes something outside
	Grave     bool // what it changes cannot be undone or gives access
	Reach     Reach
	Away      bool // what it is given goes to others than its own server's
}

// Session is what one conversation has seen.
type Session struct {
	roles   func(server, tool string) Role
	prints  map[uint32]origin // fingerprints of private results
	values  map[uint32]origin // rare values of private results
	from    []source
	foreign []byte // folded text of strangers, most recent
	senders map[uint32]bool
	links   map[uint32]bool // addresses that were read
	outward []byte          // folded arguments of past sinks, most recent
	seen    labels
	pieces  trickle
	lost    Class // the most private data that was read before, see Carry
	thin    Class // the most private data of which only a part is remembered
}

type labels struct {
	untrusted bool
	injected  float64 // highest injection score among strangers' texts
	private   Class
}

type source struct {
	server string
	class  Class
	people map[uint32]bool // addresses in the record: the data's subjects
	web    bool            // it was got from outside
	work   bool            // text of work: private where there are values of persons in it, see ordinary
}

// origin is an index into from.
type origin uint16

// Bounds of a session's memory.
const (
	maxPrints  = 8192
	maxValues  = 2048
	maxSources = 256
	maxPeople  = 64
	maxForeign = 32 << 10
	maxOutward = 8 << 10
	maxScanned = 64 << 10  // of a result, each letter of it
	maxRead    = 4 << 20   // of a result, in samples
	maxSent    = 512 << 10 // of what is sent; more cannot be compared
)

// New returns a session. roles may be nil: tools are then judged by name.
func New(roles func(server, tool string) Role) *Session {
	if roles == nil {
		roles = Suggest
	}
	return &Session{roles: roles, prints: map[uint32]origin{}, values: map[uint32]origin{}, senders: map[uint32]bool{}, links: map[uint32]bool{}}
}

// Result takes note of what a call returned. injected is the score that the
// text detectors gave it.
func (s *Session) Result(server, tool string, result []byte, injected float64) {
	s.Learn(server, tool, result, injected, content(result[:min(len(result), maxRead)]))
}

// Learn is Result for a text whose contents are classified already.
func (s *Session) Learn(server, tool string, result []byte, injected float64, holds Class) {
	whole := result
	result = result[:min(len(result), maxScanned)]
	r := s.roles(server, tool)
	s.readLinks(result)
	if r.Untrusted || injected > 0.5 {
		s.seen.untrusted = true
		s.seen.injected = max(s.seen.injected, injected)
		s.keepForeign(result)
		if injected <= 0.5 && has(append(words(tool), words(server)...), "mail", "mails", "email", "emails", "gmail", "inbox", "outlook", "imap") {
			s.signed(result)
		}
	}
	class := max(r.Private, holds)
	if class < Personal && !r.Untrusted && record(result) {
		class = Personal
	}
	if class > Public && (r.Private > Public || class >= Personal) {
		s.seen.private = max(s.seen.private, class)
		src := source{server: server, class: class, web: r.Private == Public && r.Reach != Stays && r.Reach != Runs && r.Reach != Tells}
		src.work = injected <= 0.5 && class < Secret && (r.Work || r.Private == Public && !record(result))
		s.remember(src, whole)
		if holds >= Personal && !src.web { // there are such values
			s.treasure(result, origin(len(s.from)-1))
		}
	}
}

// content classifies a result by what is in it.
func content(b []byte) Class {
	class := Public
	for _, f := range dlp.Append(nil, b) {
		if f.Class == dlp.Secret {
			return Secret
		}
		class = Personal
	}
	return class
}

// record reports JSON whose keys are those of a person's record.
func record(b []byte) bool {
	t := bytes.TrimSpace(b)
	if len(t) == 0 || t[0] != '{' && t[0] != '[' {
		return false
	}
	n := 0
	for _, key := range []string{"email", "address", "street", "phone", "first_name", "last_name", "full_name", "birth", "dob", "salary", "account_number", "iban", "balance", "diagnosis", "ssn", "payment", "passport", "patient", "medication", "tax_id"} {
		if i := bytes.Index(t, []byte(key)); i > 0 && bytes.IndexByte(t[max(0, i-14):i], '"') >= 0 {
			n++
		}
	}
	return n >= 2
}

func (s *Session) keepForeign(b []byte) {
	s.foreign = append(s.foreign, ' ')
	s.foreign = append(s.foreign, bytes.ToLower(b)...)
	if over := len(s.foreign) - maxForeign; over > 0 {
		s.foreign = append(s.foreign[:0], s.foreign[over:]...)
	}
	for _, key := range []string{"\"sender\"", "\"from\"", "from:", "sender:", "reply-to:"} {
		for rest := bytes.ToLower(b); ; {
			i := bytes.Index(rest, []byte(key))
			if i < 0 {
				break
			}
			rest = rest[i+len(key):]
			if a := firstAddress(rest[:min(len(rest), 120)]); a != nil && len(s.senders) < maxValues {
				s.senders[hashOf(a)] = true
			}
		}
	}
}

func (s *Session) remember(src source, b []byte) {
	if len(s.from) >= maxSources {
		last := &s.from[len(s.from)-1]
		last.class, last.web, last.work = max(last.class, src.class), last.web && src.web, last.work && src.work
	} else {
		src.people = map[uint32]bool{}
		s.from = append(s.from, src)
	}
	at := origin(len(s.from) - 1)
	eachAddress(b, func(a []byte) {
		if len(s.from[at].people) < maxPeople {
			s.from[at].people[hashOf(a)] = true
		}
	})
	s.fingerprint(b, at)
}

// Call judges a call before it is made.
func (s *Session) Call(server, tool string, args []byte) []Finding {
	r := s.roles(server, tool)
	var out []Finding
	s.pieces.begin()
	if (r.Sink || r.Reach != Stays) && s.credential(server, tool, args) {
		out = append(out, Finding{Rule: "exfiltration", Score: 0.95, What: "a credential, in pieces"})
	}
	if len(args) > maxSent && s.seen.private >= Personal && (r.Sink || r.Reach != Stays) {
		out = append(out, Finding{Rule: "forgotten", Score: 0.8, What: "more is sent than can be compared with the private data that was read"})
	}
	if r.Reach != Stays && !r.Sink {
		if f := s.copies(server, r, args); f.Rule != "" {
			out = append(out, f)
		} else if f := s.spread(server, tool, r, args, nil); f.Rule != "" {
			out = append(out, f)
		} else if max(s.lost, s.thin) >= Personal && (r.Reach != Tells || r.Away) && s.carries(r.Reach, args) {
			out = append(out, s.forgotten())
		}
	}
	if !r.Sink && !r.Acts {
		return out
	}
	c := s.read(args)
	c.away = r.Away
	if f := s.obeys(server, r, c); f.Rule != "" {
		out = append(out, f)
	}
	if r.Sink {
		if f, g := s.leaks(server, c), s.spread(server, tool, r, args, c); f.Rule != "" && f.Score >= g.Score {
			out = append(out, f)
		} else if g.Rule != "" {
			out = append(out, g)
		}
		s.pieces.sank = true
		if f := s.trifecta(server, c); f.Rule != "" {
			out = append(out, f)
		}
		if max(s.lost, s.thin) >= Personal && c.outside && len(c.sent) >= mostSent {
			out = append(out, s.forgotten())
		}
		s.outward = append(append(s.outward, 0), c.sent...)
		if over := len(s.outward) - maxOutward; over > 0 {
			s.outward = append(s.outward[:0], s.outward[over:]...)
		}
	}
	return out
}

// leaks compares what is sent with the private results of this session.
func (s *Session) leaks(server string, c *call) Finding {
	if len(s.prints) == 0 && len(s.values) == 0 {
		return Finding{}
	}
	c.open()
	best := Finding{}
	forms := append([][]byte{c.sent, reversed(c.sent), rotated(c.sent)}, c.views...)
	if len(s.outward) > 0 {
		forms = append(forms, join(s.outward, c.sent))
	}
	for i, form := range forms {
		c.turned = i == 1 || i == 2
		hits := s.matches(form)
		for at, n := range hits {
			src := s.from[at]
			if f := s.weigh(server, src, n, c); f.Score > best.Score {
				best = f
			}
		}
	}
	c.turned = false
	if best.Rule == "" {
		return s.leakedValues(server, c)
	}
	return best
}

// weigh turns a number of matching fingerprints into a finding. Two in a row
// are about twenty letters and digits of the record.
func (s *Session) weigh(server string, src source, n int, c *call) Finding {
	need := 3
	if src.class == Secret {
		need = 1
	}
	if n < need || s.subject(src, c) && src.class < Secret {
		return Finding{}
	}
	f := Finding{Rule: "exfiltration", Score: 0.8, What: "private data of " + src.server + " in the arguments"}
	switch {
	case src.class == Secret:
		f.Score = 0.97
	case !c.outside && src.server == server && !c.away:
		return Finding{}
	case c.outside:
		f.Score = 0.9
	case src.class == Internal || src.work && c.ordinary():
		f.Score = 0.6
	}
	return f
}

// subject reports that all whom the call is aimed at are in the record itself.
func (s *Session) subject(src source, c *call) bool {
	n := 0
	for _, t := range c.targets {
		all := true
		eachAddress(t.value, func(a []byte) {
			n++
			all = all && src.people[hashOf(a)]
		})
		if !all {
			return false
		}
	}
	return n == 1
}

// leakedValues counts rare values (numbers, keys, addresses) one by one.
func (s *Session) leakedValues(server string, c *call) Finding {
	count := map[origin]int{}
	seen := map[uint32]bool{}
	note := func(v []byte) {
		h := hashOf(v)
		if at, ok := s.values[h]; ok && !seen[h] {
			seen[h] = true
			count[at]++
		}
	}
	c.open()
	texts := c.opened
	for _, l := range c.leaves {
		if !aims(l.name) || len(l.value) > 64 {
			texts = append(texts, l.value)
		}
	}
	for _, t := range texts {
		eachValue(t, note)
		eachPhrase(t, note)
	}
	for at, n := range count {
		src := s.from[at]
		if src.class == Secret && n >= 1 || n >= 3 {
			if f := s.weigh(server, src, 3, c); f.Rule != "" {
				f.Score -= 0.05
				return f
			}
		}
	}
	return Finding{}
}

// trifecta is the rule for what no matcher sees: strangers' words, private
// data and a way out in one session.
func (s *Session) trifecta(server string, c *call) Finding {
	if !s.seen.untrusted || s.seen.private < Personal || !c.outside || len(c.sent) < mostSent {
		return Finding{}
	}
	for _, src := range s.from {
		if s.subject(src, c) {
			return Finding{}
		}
	}
	score := 0.6
	if s.seen.private == Secret || s.seen.injected > 0.5 {
		score = 0.75
	}
	return Finding{Rule: "trifecta", Score: score, What: "strangers' text, private data and a way out in one session"}
}

// obeys finds actions whose aim was written by a stranger.
func (s *Session) obeys(server string, r Role, c *call) Finding {
	if !s.seen.untrusted {
		return Finding{}
	}
	dictated := 0
	for _, l := range c.leaves {
		aimed := aims(l.name)
		if !aimed && !(r.Grave && len(l.value) <= 64) {
			if len(l.value) >= 6 && len(l.value) <= 400 && s.written(l.value) {
				dictated++
			}
			if dictated > 0 && r.Sink && len(l.value) >= 8 || dictated > 1 {
				return Finding{Rule: "provenance", Score: 0.58, Where: l.where, What: "what the call says was dictated by a stranger"}
			}
			continue
		}
		if !s.written(l.value) || s.replies(l) {
			continue
		}
		score := 0.75
		switch {
		case s.seen.injected > 0.5:
			score = 0.85
		case r.Reach == Runs && everyday(l.value):
			score = 0.65
		case r.Grave:
			score = 0.85
		}
		return Finding{Rule: "provenance", Score: score, Where: l.where, What: "the aim of the action was written by a stranger"}
	}
	if s.seen.injected > 0.8 && r.Acts {
		return Finding{Rule: "provenance", Score: 0.65, What: "an action after a text that gave instructions"}
	}
	return Finding{}
}

// replies reports an answer to the sender of what was read.
func (s *Session) replies(l leaf) bool {
	ok, n := true, 0
	eachAddress(l.value, func(a []byte) {
		n++
		ok = ok && s.senders[hashOf(a)]
	})
	return n > 0 && ok
}

// written reports that a value stands in a stranger's text as a word of its own.
func (s *Session) written(v []byte) bool {
	v = bytes.ToLower(bytes.TrimSpace(v))
	if len(v) < 2 {
		return false
	}
	for rest := s.foreign; ; {
		i := bytes.Index(rest, v)
		if i < 0 {
			return false
		}
		before := i == 0 || !wordByte(rest[i-1])
		after := i+len(v) == len(rest) || !wordByte(rest[i+len(v)])
		if before && after {
			return true
		}
		rest = rest[i+1:]
	}
}
