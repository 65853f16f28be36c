package flow

import (
	"bytes"
	"net/url"
	"strings"

	"durward/internal/guard/carrier"
)

// Seen tells what a session has seen so far.
func (s *Session) Seen() (untrusted bool, private Class) { return s.seen.untrusted, s.seen.private }

// Wary tells that much is at stake: private data of persons, or secrets, were
// read, or a stranger's text surely gave orders.
func (s *Session) Wary() bool { return s.seen.private >= Personal || s.seen.injected >= 0.8 }

// Unsend takes back the call that was judged last, because it was not made:
// only what left counts for what leaves in pieces.
func (s *Session) Unsend() {
	sank := s.pieces.sank
	s.pieces.undo()
	if !sank {
		return
	}
	if i := bytes.LastIndexByte(s.outward, 0); i >= 0 {
		s.outward = s.outward[:i]
	}
}

// Targets lists whom and what the arguments of a call are aimed at, in lower
// case: e-mail addresses, hosts, and the values of fields that name an aim.
func Targets(args []byte) []string {
	var aimed, other []string
	carrier.Walk(args, func(path []string, value []byte, key bool) {
		if len(value) == 0 || key && carrier.IsName(value) {
			return
		}
		if !key && aims(strings.ToLower(innermost(path))) {
			aimed = append(aimed, targets(value, true)...)
		} else if len(value) < 256 {
			other = append(other, targets(value, false)...)
		}
	})
	if len(aimed) > 0 {
		return aimed
	}
	return other
}

// targets are the addresses and hosts in a value; the value itself when it
// names an aim and has none.
func targets(value []byte, aim bool) (out []string) {
	for _, w := range bytes.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>;,", r) }) {
		if w = bytes.Trim(w, "\"'[]()"); routed(w) {
			out = append(out, strings.ToLower(string(w))+" (by a way round)")
		}
	}
	eachAddress(value, func(a []byte) { out = append(out, string(a)) })
	for rest := value; ; {
		i := bytes.Index(rest, []byte("://"))
		if i < 0 {
			break
		}
		if u, err := url.Parse("x" + string(until(rest[i:]))); err == nil && u.Hostname() != "" {
			out = append(out, strings.ToLower(u.Hostname()))
		} else {
			out = append(out, strings.ToLower(string(until(rest[i:])))) // an address that cannot be read is none of the allowed
		}
		rest = rest[i+3:]
	}
	if len(out) == 0 && aim {
		out = append(out, strings.ToLower(string(bytes.TrimSpace(value))))
	}
	return out
}

// routed reports an address of a mail that names a second host, to which the
// first may hand it on: whom it reaches is not told by how it ends.
func routed(w []byte) bool {
	at := bytes.LastIndexByte(w, '@')
	if at < 0 || bytes.Contains(w, []byte("://")) {
		return false
	}
	return bytes.ContainsAny(w[:at], "%!@\"") || bytes.IndexByte(w[at:], '%') > 0
}

func until(b []byte) []byte {
	if i := bytes.IndexAny(b, " \t\r\n\"'<>"); i >= 0 {
		return b[:i]
	}
	return b
}
