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
	"bytes"
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
	Until      int    // and where it ends; 0 for End
	Sure       bool   // the form or a checksum leaves no doubt
	Quote      bool   // the token takes quotes, to stand for a JSON value
	Plain      []byte // the value, where what is replaced is an encoding of it
	Rest       bool   // it goes on from another text, where the token stands
	column     bool   // it names a column whose values are
	open       bool   // where it ends is guessed: what is in it is looked at too
}

// Clear is the value itself, decoded; b is the text of the find.
func (f *Find) Clear(b []byte) []byte {
	if f.Plain != nil {
		return f.Plain
	}
	return b[f.Value:f.until()]
}

func (f *Find) until() int {
	if f.Until > f.Value {
		return f.Until
	}
	return f.End
}

// Append appends the finds that stand in b as they are to dst, in order and
// without overlap.
func Append(dst []Find, b []byte) []Find { return find(dst, b, false) }

// find is Append; typed leaves out what only its label tells.
func find(dst []Find, b []byte, typed bool) []Find {
	from, open := len(dst), 0
	near := places{b: b}
	for i := 0; i+1 < len(b); {
		c, next := b[i], b[i+1]
		if may(b, i, c, next) && (i >= open || c != '-') {
			if f, ok := at(b, i, c, typed); ok {
				if f.column {
					dst = column(dst, b, f.Start)
				} else if f.Class != "" {
					dst = append(dst, f)
				}
				if i = max(i+1, f.End); f.open {
					i, open = f.Start+len(keyLine), f.End
				}
				continue
			}
		}
		i = near.next(i + 1)
	}
	return settle(dst, from)
}

// at tries the detectors that may begin at i.
func at(b []byte, i int, c byte, typed bool) (Find, bool) {
	numeral := !digit(c) || numeral(b[i:])
	next := byte(0) // behind the last place, of no prefix
	if i+1 < len(b) {
		next = b[i+1]
	}
	list := startsWith[c].of(next)
	for k := range list {
		d := &list[k]
		if typed && d.label || d.number && !numeral || !hasPrefix(b, i, d) {
			continue
		}
		if f, ok := d.match(b, i); ok {
			f.Class, f.Kind = d.class, pick(f.Kind, d.kind)
			if d.label && d.class == Secret && !f.column {
				refine(b, &f)
			}
			return f, true
		}
	}
	return Find{}, false
}

// refine names what a label's value is: one secret is the same wherever it
// stands. A value that speaks for itself is replaced alone.
func refine(b []byte, f *Find) {
	end := f.until()
	for _, in := range find(nil, b[f.Value:end], true) {
		if !in.Sure || in.Class != Secret {
			continue
		}
		alone := in.Start == 0 && f.Value+in.End == end || f.Kind == kindURL
		f.Kind, f.Sure = in.Kind, true
		if alone {
			f.Start, f.End = f.Value+in.Start, f.Value+in.End
		}
		f.Value, f.Until = f.Value+in.Value, f.Value+in.until()
		return
	}
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
			join(last, f)
			continue
		}
		out = append(out, f)
	}
	return all[:from+len(out)]
}

// join makes one find of two that overlap, and calls it by the surer name.
func join(a *Find, f Find) {
	start, end := a.Start, max(a.End, f.End)
	if f.Class == Secret && (a.Class != Secret || f.Sure && !a.Sure || f.Sure && f.Plain != nil && f.End > a.End) {
		*a = f
	}
	a.Until = a.until()
	a.Start, a.End = start, end
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

// Token is what stands for a find: [secret:github_pat:3f2a9c]. One value has one
// token, however it is carried.
func (r *Redactor) Token(f Find, b []byte) string {
	if f.Rest {
		return "[" + string(f.Class) + ":rest]"
	}
	if len(r.key) == 0 {
		return "[" + string(f.Class) + ":" + f.Kind + "]"
	}
	m := hmac.New(sha256.New, r.key)
	m.Write(normal(f.Clear(b)))
	return "[" + string(f.Class) + ":" + f.Kind + ":" + hex.EncodeToString(m.Sum(nil)[:3]) + "]"
}

// normal is a value without quotes around it and without line ends, escaped
// ones too: keys are wrapped in many ways.
func normal(v []byte) []byte {
	v = bytes.Trim(v, " \t\r\n\"'`\\")
	if bytes.IndexByte(v, '\n') < 0 && bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\n' || c == '\r' || c == '\\' && i+1 == len(v):
		case c == '\\' && (v[i+1] == 'n' || v[i+1] == 'r'):
			i++
		case c == '\\':
		default:
			out = append(out, c)
		}
	}
	return out
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
