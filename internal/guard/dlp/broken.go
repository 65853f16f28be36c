package dlp

import (
	"bytes"
	"strings"
)

// Bounds on secrets that are broken up, or that something clings to.
const (
	mostBreaks = 4
	mostIndent = 8
	mostCling  = 256
)

// odd matches a secret that is longer than its kind is, since something clings
// to its end, or that is broken over lines; one of a known length over blanks
// too.
func odd(b []byte, i int, prefix string, a *alphabet, least, most int) (Find, bool) {
	if !strings.ContainsAny(prefix, "_-$") && Exactly(b[i:]) == 0 {
		return Find{}, false
	}
	if head := b[i+len(prefix) : min(len(b), i+len(prefix)+32)]; len(head) == 32 && a[head[31]] && (!varied(head) || !random(head)) {
		return Find{}, false
	}
	end := i + len(prefix)
	for end < len(b) && end-i < mostCling && a[b[end]] {
		end++
	}
	v := b[i+len(prefix) : end]
	if len(v) > most {
		f := Find{Start: i, End: end, Value: i, Sure: true}
		return f, strings.ContainsAny(prefix, "_-$") && !harmless(v) && varied(v) && random(v)
	}
	if len(v) >= least || len(v) > 0 && !PartLike(v, true) {
		return Find{}, false
	}
	return broken(b, i, end, len(prefix), Exactly(b[i:end]), a, least+len(prefix))
}

func broken(b []byte, i, end, prefix, exact int, a *alphabet, least int) (Find, bool) {
	start, n := i, end-i
	var parts [mostBreaks + 1][2]int
	parts[0] = [2]int{i, end}
	for k := 1; k <= mostBreaks; k++ {
		next := goesOnAt(b, end, exact > 0)
		if next < 0 {
			break
		}
		i, end = next, next
		for end < len(b) && end-i <= mostPart && a[b[end]] && (exact == 0 || n < exact) {
			end, n = end+1, n+1
		}
		if end == i || !PartLike(b[i:end], false) {
			break
		}
		parts[k] = [2]int{i, end}
		if exact > 0 && n < exact || n < least {
			continue
		}
		var value []byte
		for _, p := range parts[:k+1] {
			value = append(value, b[p[0]:p[1]]...)
		}
		rest := value[prefix:]
		return Find{Start: start, End: end, Value: start, Sure: true, Plain: value}, !harmless(value) && random(rest) && bytes.ContainsAny(rest, "0123456789")
	}
	return Find{}, false
}

// goesOnAt is where a value may go on behind a break; -1 when it does not.
func goesOnAt(b []byte, i int, blanks bool) int {
	at := nextLine(b, i)
	if at == i && blanks && i < len(b) && b[i] == ' ' {
		at = i + 1
	}
	if at == i || at >= len(b) {
		return -1
	}
	return at
}
