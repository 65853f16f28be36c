package dlp

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"durward/internal/guard/octet"
)

// marks say what a text may hold: escapes and odd characters, long runs.
type marks struct{ escapes, runs bool }

const (
	leastRun   = 16 // of a line of base64
	leastTotal = 20 // of all its lines
	leastPairs = 10 // characters written as numbers
)

const longName = 22

const (
	inRun  = 1
	inLead = 2 // what may begin an escape or an odd character
)

// role tells what a byte may be part of.
var role = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case alnum(byte(c)) || c == '+' || c == '/' || c == '-' || c == '_':
			t[c] = inRun
		case c == '%' || c == '&' || c == '\\' || c == '<' || c == '=' || c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f:
			t[c] = inLead
		}
	}
	for _, c := range []byte{0xc2, 0xcd, 0xd8, 0xe1, 0xe2, 0xef, 0xf0, 0xf3} { // see odd
		t[c] = inLead
	}
	return t
}()

// outline looks for the outline of encodings. It does not look at each byte:
// a run covers a place that is looked at, and escapes begin with few bytes.
func outline(b []byte) marks {
	return marks{escapes: escaped(b), runs: hasRun(b)}
}

// hasRun reports a run that may be encoded, or one number in a row of them. It
// looks at the run at every sixteenth byte, or a little behind it.
func hasRun(b []byte) bool {
	done := 0 // where the last run ends that is longer than what is sorted at once
	for from := 0; from < len(b); from = max(from+64, done&^63) {
		runs := octet.Match(b[from:], &role)
		for i := from; i < from+64; i += leastRun {
			near := runs >> (i - from)
			if near&15 == 0 {
				continue
			}
			at := i + bits.TrailingZeros64(near)
			if at < done {
				continue
			}
			k := at - from
			start, end := at+1-bits.LeadingZeros64(^(runs<<(63-k))), at+bits.TrailingZeros64(^(runs>>k))
			if start == from || end == from+64 {
				start, end = runStart(b, start, done), runEnd(b, end)
				done = end
			}
			if n := end - start; n >= leastRun && mixed(b[start:end]) || n <= 4 && number(b[start:end]) && inRow(b, start) {
				return true
			}
		}
	}
	return false
}

// runStart is where the run begins that i is in, and not before done.
func runStart(b []byte, i, done int) int {
	for i > done && role[b[i-1]] == inRun {
		i--
	}
	return i
}

// inRow reports five numbers or more beside each other.
func inRow(b []byte, i int) bool {
	_, _, n := numberRow(b[:min(len(b), i+64)], i)
	return n >= leastPairs/2
}

// escaped reports an escape that may hide a value.
func escaped(b []byte) bool {
	for _, c := range []byte("%&\\<=") {
		for i := 0; ; i++ {
			k := bytes.IndexByte(b[i:], c)
			if k < 0 {
				break
			}
			if i += k; hides(b, i) {
				return true
			}
		}
	}
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if w&highBits == 0 && (w-lowest)&^w&highBits == 0 { // nothing above ASCII, nothing below the blank
			continue
		}
		if oddIn(b, i, i+8) {
			return true
		}
	}
	return oddIn(b, i, len(b))
}

const (
	highBits = 0x8080808080808080
	lowest   = 0x2020202020202020
)

func oddIn(b []byte, from, end int) bool {
	for i := from; i < end; i++ {
		if c := b[i]; (c >= 0x80 || c < ' ') && role[c] == inLead && hides(b, i) {
			return true
		}
	}
	return false
}

// hides reports an escape at i that hides a part of a value, or a mark between
// a label and its value. Those of ordinary text hide neither.
func hides(b []byte, i int) bool {
	end := escapeEnd(b, i)
	if end == i {
		return false
	}
	var buf [8]byte
	switch m := meant(buf[:0], b[i:end]); {
	case len(m) == 1 && (m[0] == '=' || m[0] == ':' || m[0] == '%'):
		return true
	case len(m) == 1 && m[0] == '"':
		return assigns(b, i-1) || assigns(b, end)
	case len(m) == 0 && b[i] >= 0x80 && i > 0 && ' ' < b[i-1] && b[i-1] < 0x7f:
		return true
	case len(m) == 1 && m[0] < 0x80 && role[m[0]] != inRun && m[0] != '.' && m[0] != '\n':
		return false
	}
	return glued(b, i, end) >= leastGlued
}

// assigns reports what parts a label from its value.
func assigns(b []byte, i int) bool {
	if i >= 0 && i < len(b) && b[i] == ' ' && i > 0 {
		i--
	}
	return i >= 0 && i < len(b) && (b[i] == ':' || b[i] == '=')
}

const leastGlued = 12 // characters of a value with an escape in it

// glued counts the characters that an escape joins.
func glued(b []byte, i, end int) int {
	n := 1
	for k := i; k > 0 && n < leastGlued && role[b[k-1]] == inRun; k-- {
		n++
	}
	for n < leastGlued && end < len(b) {
		next := end
		if role[b[end]] == inLead {
			next = escapeEnd(b, end)
		} else if role[b[end]] == inRun {
			next++
		}
		if next == end {
			break
		}
		n, end = n+1, next
	}
	return n
}

// mixed reports a run that may be encoded: letters of both cases, hexadecimal
// digits only, or capitals with digits.
func mixed(run []byte) bool {
	lower, upper, digits, hex := false, false, false, true
	if run[0] == '0' && run[1] == 'x' {
		run = run[2:]
	}
	for _, c := range run[:min(len(run), 64)] {
		switch kindOf[c] {
		case kindLower:
			lower = true
		case kindUpper:
			upper = true
		case kindDigit:
			digits = true
		}
		hex = hex && hexDigit(c)
		if lower && upper && digits && !hex {
			return true
		}
	}
	if lower && upper { // names of programs have few capitals, in order
		head := run[:min(len(run), 64)]
		return len(run) >= longName && (!camel(head) || mostlyUpper(head))
	}
	return hex && len(run) >= leastTotal || upper && digits && !lower
}

func mostlyUpper(run []byte) bool {
	n := 0
	for _, c := range run {
		if kindOf[c] == kindUpper {
			n++
		}
	}
	return 2*n > len(run)
}

// number reports what may stand for one character: 67, 0x67, 103.
func number(tok []byte) bool {
	if len(tok) == 4 && tok[0] == '0' && tok[1]|0x20 == 'x' {
		tok = tok[2:]
	}
	if len(tok) == 2 {
		return hexDigit(tok[0]) && hexDigit(tok[1])
	}
	return len(tok) == 3 && digit(tok[0]) && digit(tok[1]) && digit(tok[2])
}

// escapeEnd is where the escape, or the character that changes the look of a
// value and not its meaning, ends that begins at i; i when there is none.
// Those that every text of programs holds do not count: \n, \", &amp;.
func escapeEnd(b []byte, i int) int {
	switch c := b[i]; c {
	case '%':
		if i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]) {
			return i + 3
		}
		if i+5 < len(b) && b[i+1]|0x20 == 'u' && allHex(b[i+2:i+6]) {
			return i + 6
		}
	case '&':
		return reference(b, i)
	case '\\':
		return backslash(b, i)
	case '<':
		return tag(b, i)
	case '=':
		if i > 0 && alnum(b[i-1]) && i+2 < len(b) && !pads(b, i) {
			if k := lineEnd(b, i+1); k > i+1 && k < len(b) && alnum(b[k]) {
				return k
			}
		}
	default:
		if c >= 0x80 {
			_, n, odd := oddRune(b[i:])
			if odd {
				return i + n
			}
			return i
		}
		return control(b, i)
	}
	return i
}

// pads reports a mark that fills base64 up, rather than one that parts a line.
func pads(b []byte, i int) bool {
	start := i
	for start > 0 && i-start < 256 && role[b[start-1]] == inRun {
		start--
	}
	return i-start >= leastRun && (i-start)%4 == 3
}

// lineEnd passes over one line end at i.
func lineEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '\r' {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		return i + 1
	}
	return i
}

func allHex(b []byte) bool {
	for _, c := range b {
		if !hexDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

// reference is the end of a character reference.
func reference(b []byte, i int) int {
	end := bytes.IndexByte(b[i:min(len(b), i+12)], ';')
	if end < 2 {
		return i
	}
	body := b[i+1 : i+end]
	if body[0] != '#' {
		if _, ok := named[string(body)]; !ok {
			return i
		}
	}
	return i + end + 1
}

// named are the references that stand for what secrets and their labels are
// made of, and for nothing. A map of strings costs no memory to look up.
var named = map[string]byte{
	"lowbar": '_', "UnderBar": '_', "hyphen": '-', "dash": '-', "period": '.', "sol": '/', "plus": '+', "equals": '=', "colon": ':', "commat": '@',
	"num": '#', "excl": '!', "dollar": '$', "percnt": '%', "ast": '*', "semi": ';', "quot": '"', "apos": '\'', "lbrack": '[', "rbrack": ']', "lcub": '{', "rcub": '}',
	"Tab": '\t', "NewLine": '\n', "shy": 0, "zwj": 0, "zwnj": 0, "ZeroWidthSpace": 0, "NoBreak": 0, "lrm": 0, "rlm": 0, "InvisibleTimes": 0, "ic": 0, "it": 0,
}

// backslash is the end of an escape that stands for a character of a value.
func backslash(b []byte, i int) int {
	if i+1 >= len(b) {
		return i
	}
	switch c := b[i+1]; {
	case c == 'u' && i+5 < len(b) && allHex(b[i+2:i+6]):
		return i + 6
	case c == 'u' && i+3 < len(b) && b[i+2] == '{':
		if end := bytes.IndexByte(b[i:min(len(b), i+12)], '}'); end > 3 && allHex(b[i+3:i+end]) {
			return i + end + 1
		}
	case c == 'x' && i+3 < len(b) && allHex(b[i+2:i+4]):
		return i + 4
	case c == 'U' && i+9 < len(b) && allHex(b[i+2:i+10]):
		return i + 10
	case '0' <= c && c <= '3' && i+3 < len(b) && octal(b[i+2]) && octal(b[i+3]):
		return i + 4
	case (c == '_' || c == '-' || c == '/' || c == '.' || c == '+' || c == '=' || c == ':') && i > 0 && (alnum(b[i-1]) || b[i-1] == '/' || b[i-1] == ':'):
		return i + 2
	}
	return i
}

func octal(c byte) bool { return '0' <= c && c <= '7' }

// tag is the end of markup in the middle of a word.
func tag(b []byte, i int) int {
	if i == 0 || role[b[i-1]] != inRun || i+2 >= len(b) || b[i+1] != '/' && b[i+1] != '!' && !alnum(b[i+1]) {
		return i
	}
	for at := i; at < len(b) && at-i < 256; {
		end := bytes.IndexByte(b[at:min(len(b), at+64)], '>')
		if end < 0 || bytes.ContainsAny(b[at+1:at+end], "<\n") {
			return i
		}
		at += end + 1
		if at < len(b) && role[b[at]] == inRun {
			return at
		}
		if at >= len(b) || b[at] != '<' {
			return i
		}
	}
	return i
}

// control is the end of a character or sequence that a terminal does not show.
func control(b []byte, i int) int {
	if b[i] != 0x1b {
		return i + 1
	}
	at := i + 1
	if at < len(b) && b[at] == '[' {
		for at++; at < len(b) && at-i < 24 && (b[at] < '@' || b[at] > '~'); at++ {
		}
	}
	if at == i+1 { // not the beginning of a sequence
		return at
	}
	return min(at+1, len(b))
}
