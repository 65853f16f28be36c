// Package dlp finds secrets and personal data in text and replaces them with
// stable tokens.
//
// A find starts at a known beginning (a token's prefix, a keyword, a digit),
// is anchored there, and is checked: length and alphabet, Luhn, IBAN modulus,
// JWT header, variety of characters. Keys that vendors print in their
// documentation, and placeholders, are let through. A token is made with a
// keyed hash, so that the same secret is the same token for one installation
// and says nothing elsewhere.
//
// One pass, no regular expressions, no allocation without a find. It does not
// decide what a find means: that is policy.
package dlp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sort"
)

// Class tells secrets from personal data.
type Class string

// The classes.
const (
	Secret   Class = "secret"
	Personal Class = "pii"
)

// Find is one secret or personal datum.
type Find struct {
	Class      Class
	Kind       string // github_pat, card, ...
	Start, End int    // what is replaced, label included
	Value      int    // where the value itself starts
	Sure       bool   // the form or a checksum leaves no doubt
	Quote      bool   // the token takes quotes, to stand for a JSON value
}

// Append appends the finds in b to dst, in order and without overlap.
func Append(dst []Find, b []byte) []Find {
	from := len(dst)
	for i := 0; i+1 < len(b); {
		c, next := b[i], b[i+1]
		if may(b, i, c, next) {
			if f, ok := at(b, i, c); ok {
				dst = append(dst, f)
				i = max(i+1, f.End)
				continue
			}
		}
		i++
		was := kindOf[c]
		if was == 0 {
			continue
		}
		for i < len(b) { // on to the next word
			now := kindOf[b[i]]
			if now == 0 || now == kindUpper && was == kindLower {
				break
			}
			was = now
			i++
		}
	}
	return settle(dst, from)
}

// at tries the detectors that may begin at i.
func at(b []byte, i int, c byte) (Find, bool) {
	list := starts[c]
	for k := range list {
		d := &list[k]
		if !hasPrefix(b, i, d) {
			continue
		}
		if f, ok := d.match(b, i); ok {
			f.Class, f.Kind = d.class, pick(f.Kind, d.kind)
			return f, true
		}
	}
	return Find{}, false
}

// settle orders the finds and merges those that overlap.
func settle(all []Find, from int) []Find {
	part := all[from:]
	if len(part) < 2 {
		return all
	}
	sort.SliceStable(part, func(i, j int) bool { return part[i].Start < part[j].Start })
	out := part[:1]
	for _, f := range part[1:] {
		last := &out[len(out)-1]
		if f.Start < last.End {
			last.End = max(last.End, f.End)
			continue
		}
		out = append(out, f)
	}
	return all[:from+len(out)]
}

func pick(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func alnum(c byte) bool { return letterDigit[c] }

var letterDigit = func() (t [256]bool) {
	for c := range 256 {
		t[c] = kindOf[c] != 0
	}
	return t
}()

const (
	kindLower = 1
	kindUpper = 2
	kindDigit = 3
)

// kindOf are the bytes of words; 0 parts them.
var kindOf = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case 'a' <= c && c <= 'z':
			t[c] = kindLower
		case 'A' <= c && c <= 'Z':
			t[c] = kindUpper
		case '0' <= c && c <= '9':
			t[c] = kindDigit
		}
	}
	return t
}()

func hasPrefix(b []byte, i int, d *detector) bool {
	if len(b)-i < len(d.prefix) {
		return false
	}
	for k := range len(d.prefix) {
		c := b[i+k]
		if c == d.prefix[k] {
			continue
		}
		if !d.fold || c|0x20 != d.prefix[k] || c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// Redactor replaces finds by tokens made with its key.
type Redactor struct{ key []byte }

// NewRedactor returns a redactor; an empty key makes tokens without a hash.
func NewRedactor(key []byte) *Redactor { return &Redactor{key: key} }

// Token is what stands for a find: [secret:github_pat:3f2a9c].
func (r *Redactor) Token(f Find, b []byte) string {
	if len(r.key) == 0 {
		return "[" + string(f.Class) + ":" + f.Kind + "]"
	}
	m := hmac.New(sha256.New, r.key)
	m.Write([]byte(f.Kind))
	m.Write(b[f.Value:f.End])
	return "[" + string(f.Class) + ":" + f.Kind + ":" + hex.EncodeToString(m.Sum(nil)[:3]) + "]"
}

// Redact returns b with the finds replaced; b itself when there are none.
func (r *Redactor) Redact(b []byte, finds []Find) []byte {
	if len(finds) == 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	at := 0
	for _, f := range finds {
		out = append(out, b[at:f.Start]...)
		if f.Quote {
			out = append(out, '"')
		}
		out = append(out, r.Token(f, b)...)
		if f.Quote {
			out = append(out, '"')
		}
		at = f.End
	}
	return append(out, b[at:]...)
}
