package shadow

import (
	"strings"

	"durward"
	"durward/internal/guard/text"
)

// bare folds a name: compatibility forms, look-alikes, case, separators, and
// digits that stand for letters.
func bare(name string) string {
	var f text.Folder
	folded := f.Fold([]byte(plainSigns(strings.ToLower(name)))).Bytes
	out := make([]byte, 0, len(folded))
	for i, c := range folded {
		switch {
		case 'a' <= c && c <= 'z', c >= 0x80:
			out = append(out, c)
		case 'A' <= c && c <= 'Z':
			out = append(out, c|0x20)
		case '0' <= c && c <= '9':
			out = append(out, letterFor(folded, i))
		}
	}
	return string(out)
}

// plainSigns reads signs within a word as the letters that they look like.
func plainSigns(name string) string {
	if !strings.ContainsAny(name, signs) {
		return name
	}
	out := []byte(name)
	for i := 1; i < len(out); i++ {
		if j := strings.IndexByte(signs, out[i]); j >= 0 && isLetter(name[i-1]) {
			out[i] = signLetters[j]
		}
	}
	return string(out)
}

// The signs that are taken for letters, and the letters.
const (
	signs       = "!|$@"
	signLetters = "ilsa"
)

// letterFor reads a digit within a word as the letter that it looks like.
func letterFor(b []byte, i int) byte {
	inside := i > 0 && isLetter(b[i-1]) && i+1 < len(b) && (isLetter(b[i+1]) || '0' <= b[i+1] && b[i+1] <= '9')
	leading := (i == 0 || !isLetter(b[i-1]) && (b[i-1] < '0' || b[i-1] > '9')) && i+1 < len(b) && isLetter(b[i+1])
	trailing := i > 1 && isLetter(b[i-1]) && isLetter(b[i-2])
	if !inside && !leading && !trailing {
		return b[i]
	}
	switch b[i] {
	case '0':
		return 'o'
	case '1':
		return 'l'
	case '3':
		return 'e'
	case '4':
		return 'a'
	case '5':
		return 's'
	case '7':
		return 't'
	}
	return b[i]
}

// seriesOf is a name with # for each number that stands by itself; "" when it
// has none. Names of one series differ in what they count, and in nothing that
// could be taken for a letter.
func seriesOf(name string) string {
	var out strings.Builder
	found := false
	for i := 0; i < len(name); {
		n := 0
		for i+n < len(name) && '0' <= name[i+n] && name[i+n] <= '9' {
			n++
		}
		alone := n > 0 && (i == 0 || !isLetter(name[i-1])) && (i+n == len(name) || !isLetter(name[i+n]))
		switch {
		case alone:
			found = true
			out.WriteByte('#')
		case n == 0:
			out.WriteByte(name[i])
			n = 1
		default:
			out.WriteString(name[i : i+n])
		}
		i += n
	}
	if !found {
		return ""
	}
	return out.String()
}

// oneShape takes i and l for the same, which a one or a capital I may stand for
// either, and letters for the pairs that look like them.
func oneShape(s string) string {
	s = strings.ReplaceAll(s, "l", "i")
	if strings.Contains(s, "rn") || strings.Contains(s, "vv") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "rn", "m"), "vv", "w")
	}
	return s
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// affixless drops what impostors put around a name.
func affixless(s string) string {
	for _, p := range []string{"new", "official", "real", "true", "my", "the", "secure", "safe", "better", "best", "fast", "super", "enhanced", "improved", "verified", "trusted", "original", "pro", "mcp", "auto", "smart", "advanced", "updated", "latest", "fixed", "do", "call"} {
		if rest, ok := strings.CutPrefix(s, p); ok && len(rest) >= 4 {
			s = rest
			break
		}
	}
	for _, p := range []string{"official", "new", "pro", "plus", "secure", "safe", "tool", "enhanced", "improved", "verified", "trusted", "latest", "updated", "fixed", "beta", "ext", "extended", "advanced", "fast", "alt", "copy", "real", "original", "internal", "proxy", "mcp", "next", "ng", "final", "now", "async"} {
		if rest, ok := strings.CutSuffix(s, p); ok && len(rest) >= 4 {
			s = rest
			break
		}
	}
	return versionless(s)
}

// versionless drops v2, v10 or 2 at the end.
func versionless(s string) string {
	t := strings.TrimRight(s, "0123456789")
	if len(t) == len(s) {
		return s
	}
	t = strings.TrimSuffix(t, "v")
	if len(t) < 4 {
		return s
	}
	return t
}

func singular(s string) string {
	switch {
	case strings.HasSuffix(s, "ies"):
		return s[:len(s)-3] + "y"
	case strings.HasSuffix(s, "ses"), strings.HasSuffix(s, "xes"), strings.HasSuffix(s, "hes"):
		return s[:len(s)-2]
	case strings.HasSuffix(s, "s") && !strings.HasSuffix(s, "ss"):
		return s[:len(s)-1]
	}
	return s
}

// distance counts edits, a swap of neighbours as one; three stands for more.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 3
	}
	return durward.Distance(a, b)
}

// shingles are the word pairs of a description.
func shingles(s string) map[string]bool {
	words := strings.Fields(strings.ToLower(s))
	if len(words) > 200 {
		words = words[:200]
	}
	out := make(map[string]bool, len(words))
	for i := range words {
		if i+1 < len(words) {
			out[words[i]+" "+words[i+1]] = true
		} else if len(words) == 1 {
			out[words[0]] = true
		}
	}
	return out
}

// likeness is how much of the shorter description is in the other.
func likeness(a, b map[string]bool) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	return float64(both(a, b)) / float64(min(len(a), len(b)))
}

// overlap is what two descriptions share of both.
func overlap(a, b map[string]bool) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	n := both(a, b)
	return float64(n) / float64(len(a)+len(b)-n)
}

func both(a, b map[string]bool) (n int) {
	for w := range a {
		if b[w] {
			n++
		}
	}
	return n
}
