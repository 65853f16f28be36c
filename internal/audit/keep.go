package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"durward"
)

// Keep is what the record keeps of a call's arguments. Its values are the
// words of the configuration; the zero value keeps their digest.
type Keep string

// The policies.
const (
	KeepDefault  Keep = ""         // as KeepDigest
	KeepOff      Keep = "off"      // nothing
	KeepDigest   Keep = "digest"   // SHA-256 of the canonical form
	KeepRedacted Keep = "redacted" // the digest, and the arguments with each text replaced by its length
	KeepFull     Keep = "full"     // the digest and the arguments
)

// Valid says with an error that k is none of the policies.
func (k Keep) Valid() error {
	switch k {
	case KeepDefault, KeepOff, KeepDigest, KeepRedacted, KeepFull:
		return nil
	}
	return fmt.Errorf("unknown policy %q for arguments in the record: use off, digest, redacted or full", string(k))
}

// Fill puts into r what k keeps of the arguments of a call, as they came.
// canonical returns the canonical form of a JSON value (RFC 8785), which may be
// value itself or lie in the memory of room. Arguments without one, such as a number beyond any double, are digested as they came,
// and the error that is returned says so. Without arguments there is nothing to
// keep. An unknown policy keeps the digest only.
func (k Keep) Fill(r *durward.Record, args []byte, canonical func(room, value []byte) ([]byte, error)) (err error) {
	r.ArgsSHA256, r.Args, err = k.Of(args, canonical)
	return err
}

// Of is what k keeps of a value: its digest in hex, and the value itself, whole
// or redacted. It is to a result what Fill is to arguments.
func (k Keep) Of(value []byte, canonical func(room, value []byte) ([]byte, error)) (sha256hex string, kept []byte, err error) {
	if k == KeepOff || len(value) == 0 {
		return "", nil, nil
	}
	sum, err := digest(value, canonical)
	if err != nil {
		sum, err = sha256.Sum256(value), fmt.Errorf("the digest is of the bytes as they came: %w", err)
	}
	switch k {
	case KeepRedacted:
		kept = Redact(value)
	case KeepFull:
		kept = appendArgs(nil, value)
	}
	return hex.EncodeToString(sum[:]), kept, err
}

// forms holds buffers for canonical forms, which live as long as it takes to
// hash them. Large ones are kept too: arguments of a megabyte come in rows.
var forms = sync.Pool{New: func() any { return new([]byte) }}

const maxForm = 1 << 20 // a larger buffer is not kept

func digest(args []byte, canonical func(room, value []byte) ([]byte, error)) ([sha256.Size]byte, error) {
	buf := forms.Get().(*[]byte)
	defer forms.Put(buf)
	form, err := canonical((*buf)[:0], args)
	if own := len(form) == 0 || &form[0] != &args[0]; own && cap(form) <= maxForm {
		*buf = form[:0]
	}
	return sha256.Sum256(form), err
}

// Redact returns args with the same structure, names, numbers and truth
// values, but each text replaced by "[string N]", N being its length in
// characters. Numbers stay: an account number that is no text is kept.
func Redact(args []byte) []byte {
	if !utf8.Valid(args) || !json.Valid(args) {
		return appendMarker(nil, "no JSON", args)
	}
	var out []byte
	for i := 0; i < len(args); {
		switch c := args[i]; {
		case isBlank(c):
			i++
		case c == '"':
			end := endOfText(args, i)
			out = appendRedacted(out, args, i, end)
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return appendArgs(nil, out)
}

// endOfText returns where the JSON string that begins at i ends.
func endOfText(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// appendRedacted appends the string in b[from:to]: as it is when it is a name,
// else what may be known of it.
func appendRedacted(dst, b []byte, from, to int) []byte {
	next := to
	for next < len(b) && isBlank(b[next]) {
		next++
	}
	if next < len(b) && b[next] == ':' {
		return append(dst, b[from:to]...)
	}
	dst = strconv.AppendInt(append(dst, `"[string `...), int64(characters(b[from+1:to-1])), 10)
	return append(dst, `]"`...)
}

// characters counts what a JSON string stands for.
func characters(escaped []byte) int {
	n := 0
	for i := 0; i < len(escaped); n++ {
		switch {
		case escaped[i] != '\\':
			_, size := utf8.DecodeRune(escaped[i:])
			i += size
		case escaped[i+1] == 'u':
			if i += 6; isLowSurrogate(escaped[i:]) && isHighSurrogate(escaped[i-6:]) {
				i += 6
			}
		default:
			i += 2
		}
	}
	return n
}

// isHighSurrogate and isLowSurrogate tell the halves of a pair (\ud83d\ude00),
// which is one character.
func isHighSurrogate(b []byte) bool { return isEscapeOf(b, "89abAB") }

func isLowSurrogate(b []byte) bool { return isEscapeOf(b, "cdefCDEF") }

func isEscapeOf(b []byte, third string) bool {
	return len(b) >= 6 && b[0] == '\\' && b[1] == 'u' && (b[2] == 'd' || b[2] == 'D') && strings.IndexByte(third, b[3]) >= 0
}
