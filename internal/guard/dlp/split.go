package dlp

import "bytes"

// A secret may be spread over several texts. Its first part is told by how it
// begins, and that it is too short.

// Bounds on parts.
const (
	mostPart  = 400 // bytes of a part that is not a key
	mostClose = 4   // marks behind a part, or before it
	leastPart = 8   // of an encoding
	mostCoded = 4096
)

// Open is where, at the end of a text, a secret begins that may go on in
// another one; -1 when none does. It says much too often yes: Joined decides.
func Open(b []byte) int {
	if i := bytes.Index(b, []byte("-----BEGIN ")); i >= 0 && openKey(b[i:]) {
		return i
	}
	end := len(b)
	for k := 0; k < mostClose && end > 0 && !inPart[b[end-1]]; k++ {
		end--
	}
	start := end
	for start > 0 && end-start < mostPart && inPart[b[start-1]] {
		start--
	}
	if start == end || !prefixed(b[start:end]) {
		return -1
	}
	return start
}

func openKey(b []byte) bool {
	return bytes.Contains(b[:min(len(b), 80)], []byte("PRIVATE KEY")) && !bytes.Contains(b, []byte("-----END "))
}

// inPart are the bytes of the secrets that have a form of their own.
var inPart = set(dashed + " . + / =")

// prefixed reports the beginning of a form, or of the prefix of one; what
// stands behind the prefix must not be words.
func prefixed(run []byte) bool {
	for k := range starts[run[0]] {
		d := &starts[run[0]][k]
		if !d.whole || len(d.prefix) < 3 {
			continue
		}
		if len(run) < len(d.prefix) {
			if d.prefix[:len(run)] == string(run) {
				return true
			}
			continue
		}
		if rest := run[len(d.prefix):]; hasPrefix(run, 0, d) && (len(rest) < 8 || PartLike(rest, false)) {
			return true
		}
	}
	return false
}

// PartLike reports a part of what was generated: letters and digits, letters
// of both cases, digits alone; few letters too when there are many such parts.
func PartLike(v []byte, many bool) bool {
	kinds := [4]bool{}
	for _, c := range v {
		kinds[kindOf[c]] = true
	}
	return kinds[kindDigit] || kinds[kindLower] && kinds[kindUpper] && !camel(v) || many && len(v) <= 4
}

// First and Last are the parts of a secret at the beginning and the end of a
// text: from where to where. They are the same for a text that is all part.
func First(b []byte) (from, to int) {
	for from < len(b) && from < mostClose && !inPart[b[from]] {
		from++
	}
	for to = from; to < len(b) && to-from <= mostPart && inPart[b[to]]; to++ {
	}
	return from, to
}

// Last: see First.
func Last(b []byte) (from, to int) {
	to = len(b)
	for k := 0; k < mostClose && to > 0 && !inPart[b[to-1]]; k++ {
		to--
	}
	for from = to; from > 0 && to-from <= mostPart && inPart[b[from-1]]; from-- {
	}
	return from, to
}

// Joined reports whether parts, put together, are a secret with a form of its
// own, and how long it is; more that it may be longer still.
func Joined(b []byte) (f Find, more, ok bool) {
	if len(b) < 8 || !may(b, 0, b[0], b[1]) {
		return f, len(b) < 8, false
	}
	exact := Exactly(b)
	if exact > 0 && len(b) > exact {
		b = b[:exact]
	}
	list := starts[b[0]]
	for k := range list {
		d := &list[k]
		if !d.whole || len(d.prefix) < 3 || !hasPrefix(b, 0, d) {
			continue
		}
		f, ok = d.match(b, 0)
		if !ok || exact > 0 && f.End < exact || !random(b[len(d.prefix):f.End]) || !bytes.ContainsAny(b[len(d.prefix):f.End], "0123456789") {
			return f, true, false
		}
		f.Class, f.Kind = Secret, d.kind
		return f, f.End == len(b) && exact == 0, true
	}
	return f, false, false
}

// Exactly is how long the secrets of a form are; 0 when they differ.
func Exactly(b []byte) int {
	for _, x := range lengths {
		if bytes.HasPrefix(b, []byte(x.prefix)) {
			return x.long
		}
	}
	return 0
}

var lengths = []struct {
	prefix string
	long   int
}{
	{"ghp_", 40}, {"gho_", 40}, {"ghu_", 40}, {"ghs_", 40}, {"github_pat_", 93}, {"AKIA", 20}, {"ASIA", 20}, {"ABIA", 20}, {"glpat-", 26}, {"AIza", 39},
	{"npm_", 40}, {"hf_", 37}, {"dop_v1_", 71}, {"shpat_", 38},
}

// Coded reports a text that may be a part of an encoding: letters of both
// cases with digits, or hexadecimal digits, and nothing else.
func Coded(b []byte) bool {
	b = bytes.TrimRight(b, "=")
	if len(b) < leastPart || len(b) > mostCoded {
		return false
	}
	lower, upper, digits, hex := false, false, false, true
	for _, c := range b {
		if role[c] != inRun {
			return false
		}
		kind := kindOf[c]
		lower, upper, digits = lower || kind == kindLower, upper || kind == kindUpper, digits || kind == kindDigit
		hex = hex && hexDigit(c)
	}
	return lower && upper || hex && digits
}

// KeyPart reports a text that may be a part of a private key, and whether it
// is the last one; to is where that ends.
func KeyPart(b []byte) (to int, last, ok bool) {
	if k := bytes.Index(b, []byte("-----END ")); k >= 0 {
		to = len(b)
		if e := bytes.Index(b[k+9:], []byte("-----")); e >= 0 {
			to = k + 9 + e + 5
		}
		b, last = b[:k], true
	}
	for _, c := range b {
		if !inKey[c] {
			return 0, false, false
		}
	}
	if !last {
		to = len(b)
	}
	return to, last, to > 0
}

var inKey = func() *alphabet {
	a := set("az AZ 09 + / = \\")
	a['\n'], a['\r'] = true, true
	return a
}()
