package dlp

import (
	"bytes"
	b64 "encoding/base64"
	"encoding/json"
	"math"
)

type alphabet [256]bool

// set reads "az AZ 09 _": ranges and single bytes.
func set(s string) *alphabet {
	var a alphabet
	for i := 0; i < len(s); {
		if s[i] == ' ' {
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] != ' ' {
			for c := s[i]; c <= s[i+1]; c++ {
				a[c] = true
			}
			i += 2
			continue
		}
		a[s[i]] = true
		i++
	}
	return &a
}

// run matches the bytes of an alphabet behind a prefix.
func run(b []byte, i, prefix int, a *alphabet, least, most int) (Find, bool) {
	end := i + prefix
	for end < len(b) && end-i-prefix <= most && a[b[end]] {
		end++
	}
	n := end - i - prefix
	if n < least || n > most || harmless(b[i:end]) || !varied(b[i+prefix:end]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

var plainLetters = set("az AZ 09")

// oldVault matches a token with a prefix of one letter, and no member of s.
func oldVault(b []byte, i int) (Find, bool) {
	f, ok := run(b, i, len("s."), plainLetters, 24, 24)
	return f, ok && !camel(b[i+2:f.End]) && bytes.ContainsAny(b[i+2:f.End], "0123456789")
}

// harmless reports documentation keys and placeholders.
func harmless(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	if containsFold(v, "example") || containsFold(v, "xxxxx") || containsFold(v, "your") && len(v) < 40 || containsFold(v, "placeholder") || containsFold(v, "redacted") || containsFold(v, "changeme") || containsFold(v, "dummy") || containsFold(v, "fake") || containsFold(v, "next-token") || containsFold(v, "sample") || containsFold(v, "testpass") || v[0] == '?' && len(v) > 1 || containsFold(v, "123456789012345") {
		return true
	}
	return bytes.Count(v, []byte("*")) > 4 || bytes.Contains(v, []byte("...")) || bytes.Contains(v, []byte("…"))
}

func containsFold(b []byte, s string) bool {
	for i := 0; i+len(s) <= len(b); i++ {
		k := 0
		for k < len(s) && b[i+k]|0x20 == s[k] {
			k++
		}
		if k == len(s) {
			return true
		}
	}
	return false
}

// varied wants more than a few different characters.
func varied(v []byte) bool {
	var seen [256]bool
	n := 0
	for _, c := range v {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n >= 6
}

// entropy is in bits per byte.
func entropy(v []byte) float64 {
	var count [256]int
	for _, c := range v {
		count[c]++
	}
	h := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(v))
			h -= p * math.Log2(p)
		}
	}
	return h
}

var (
	urlSafe    = set(dashed)
	escaped64  = set(base64 + " %")
	bearing    = set(dashed + " . ~ + / =")
	standard64 = set("az AZ 09 + / =")
)

func jwt(b []byte, i int) (Find, bool) {
	if !jwtHead(b, i) {
		return Find{}, false
	}
	end, dots := i, 0
	for end < len(b) && end-i < 16384 && (urlSafe[b[end]] || b[end] == '.' || b[end] == '=') {
		if b[end] == '.' {
			dots++
		}
		end++
	}
	for end > i && b[end-1] == '.' {
		end, dots = end-1, dots-1
	}
	if dots < 1 || end-i < 40 {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

// jwtHead reports the first part of a token, which says how it is signed.
func jwtHead(b []byte, i int) bool {
	dot := bytes.IndexByte(b[i:min(len(b), i+2048)], '.')
	if dot < 12 {
		return false
	}
	raw, err := b64.RawURLEncoding.DecodeString(string(bytes.TrimRight(b[i:i+dot], "=")))
	var h struct{ Alg string }
	return err == nil && json.Unmarshal(raw, &h) == nil && h.Alg != ""
}

// pem matches private keys up to their end line; a cut key up to where its
// alphabet ends.
func pem(b []byte, i int) (Find, bool) {
	line := b[i:min(len(b), i+80)]
	if !bytes.Contains(line, []byte("PRIVATE KEY")) {
		return Find{}, false
	}
	rest := b[i:min(len(b), i+16384)]
	if k := bytes.Index(rest, []byte("-----END ")); k > 0 {
		if e := bytes.Index(rest[k+9:], []byte("-----")); e >= 0 {
			return Find{Start: i, End: i + k + 9 + e + 5, Value: i, Sure: true}, true
		}
	}
	end := i + 27
	for end < len(b) && end-i < 16384 && (alnum(b[end]) || bytes.IndexByte([]byte("+/=\n\r\\- :,"), b[end]) >= 0) {
		end++
	}
	return Find{Start: i, End: end, Value: i, Sure: true, open: true}, end-i > 60
}

const keyLine = "-----BEGIN PRIVATE KEY-----"

func putty(b []byte, i int) (Find, bool) {
	rest := b[i:min(len(b), i+8192)]
	k := bytes.Index(rest, []byte("Private-MAC:"))
	if k < 0 {
		return Find{}, false
	}
	end := k
	for end < len(rest) && rest[end] != '\n' {
		end++
	}
	return Find{Start: i, End: i + end, Value: i, Sure: true}, true
}

func hook(b []byte, i int) (Find, bool) {
	end := i
	for end < len(b) && end-i < 512 && (alnum(b[end]) || bytes.IndexByte([]byte(":/.-_@"), b[end]) >= 0) {
		end++
	}
	if end-i < 50 || harmless(b[i:end]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

func azure(b []byte, i int) (Find, bool) {
	end := i
	for end < len(b) && end-i < 1024 && b[end] > ' ' && b[end] != '"' && b[end] != '\'' && b[end] != '\\' && b[end] != '<' {
		end++
	}
	if !containsFold(b[i:end], "accountkey=") || harmless(b[i:end]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

func assigned(b []byte, i int) (Find, bool) {
	eq := bytes.IndexByte(b[i:], '=')
	f, ok := run(b, i+eq+1, 0, escaped64, 20, 200)
	f.Start, f.Value = i, i+eq+1
	return f, ok
}

func signature(b []byte, i int) (Find, bool) {
	f, ok := run(b, i+4, 0, escaped64, 40, 120)
	f.Start = i
	return f, ok
}

// serviceAccount matches the JSON object of a cloud service account as one.
func serviceAccount(b []byte, i int) (Find, bool) {
	head := b[i:min(len(b), i+64)]
	if !bytes.Contains(head, []byte("service_account")) {
		return Find{}, false
	}
	start := i
	for start > 0 && i-start < 64 && b[start] != '{' {
		start--
	}
	rest := b[start:min(len(b), start+16384)]
	if !bytes.Contains(rest, []byte("private_key")) || b[start] != '{' {
		return Find{}, false
	}
	end := objectEnd(rest)
	if end < 0 {
		end = len(rest)
	}
	return Find{Start: start, End: start + end, Value: start, Sure: true, Quote: true}, true
}

// quotedAccount matches the same within a JSON text that is a string of
// another one.
func quotedAccount(b []byte, i int) (Find, bool) {
	if !bytes.Contains(b[i:min(len(b), i+80)], []byte("service_account")) {
		return Find{}, false
	}
	start := i
	for start > 0 && i-start < 64 && b[start] != '{' {
		start--
	}
	rest := b[start:min(len(b), start+16384)]
	key := bytes.Index(rest, []byte("private_key"))
	if b[start] != '{' || key < 0 {
		return Find{}, false
	}
	end := len(rest)
	if e := bytes.IndexByte(rest[key:], '}'); e >= 0 {
		end = key + e + 1
	}
	return Find{Start: start, End: start + end, Value: start, Sure: true}, true
}

// objectEnd returns the length of the JSON object that b starts with.
func objectEnd(b []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func skip(b []byte, i int, chars string) int {
	for i < len(b) && bytes.IndexByte([]byte(chars), b[i]) >= 0 {
		i++
	}
	return i
}

func authorization(b []byte, i int) (Find, bool) {
	at := skip(b, i+len("authorization"), `"' :=\`)
	if at == i+len("authorization") || at >= len(b) {
		return Find{}, false
	}
	for _, try := range []struct {
		scheme string
		match  func([]byte, int) (Find, bool)
	}{{"bearer ", bearer}, {"basic ", basic}, {"token ", bearerLike}, {"apikey ", bearerLike}} {
		if len(b)-at > len(try.scheme) && containsFold(b[at:at+len(try.scheme)], try.scheme) {
			f, ok := try.match(b, at)
			if ok && b[i+len("authorization")] != '"' && b[i+len("authorization")] != '\'' { // no key of an object
				f.Start = i
			}
			return f, ok
		}
	}
	return Find{}, false
}

func bearer(b []byte, i int) (Find, bool) { return schemeValue(b, i+len("bearer ")) }

func bearerLike(b []byte, i int) (Find, bool) {
	return schemeValue(b, i+bytes.IndexByte(b[i:], ' ')+1)
}

func schemeValue(b []byte, at int) (Find, bool) {
	f, ok := run(b, at, 0, bearing, 16, 4096)
	if !ok || !random(b[f.Start:f.End]) {
		return Find{}, false
	}
	f.Value = at
	return f, true
}

func basic(b []byte, i int) (Find, bool) {
	at := i + len("basic ")
	f, ok := run(b, at, 0, standard64, 8, 512)
	if !ok {
		return Find{}, false
	}
	raw, err := b64.RawStdEncoding.DecodeString(string(bytes.TrimRight(b[at:f.End], "=")))
	if err != nil || bytes.IndexByte(raw, ':') < 1 || string(raw) == "test:test" || string(raw) == "user:pass" || string(raw) == "user:password" {
		return Find{}, false
	}
	f.Value, f.Start = at, at
	return f, true
}

// random tells generated values from words and code.
func random(v []byte) bool {
	var lower, upper, digits, other int
	for _, c := range v {
		switch {
		case 'a' <= c && c <= 'z':
			lower++
		case 'A' <= c && c <= 'Z':
			upper++
		case '0' <= c && c <= '9':
			digits++
		default:
			other++
		}
	}
	if digits == 0 && other == 0 && (upper == 0 || lower == 0) {
		return false
	}
	if digits == 0 && (upper < 2 || upper*6 < lower) {
		return false
	}
	return entropy(v) > 2.8
}
