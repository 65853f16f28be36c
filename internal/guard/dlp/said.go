package dlp

import "bytes"

// marked matches the text of an element that a label names:
// <password>...</password>. at is where the name ends.
func marked(b []byte, i, at int) (Find, bool) {
	if at >= len(b) || b[at] != '>' {
		return Find{}, false
	}
	if name := wordStart(b, i); name == 0 || b[name-1] != '<' && b[name-1] != ':' {
		return Find{}, false
	}
	start := skip(b, at+1, " \t\r\n")
	end := start
	for end < len(b) && end-start < 512 && b[end] != '<' && b[end] != '\n' {
		end++
	}
	if end+1 >= len(b) || b[end] != '<' || b[end+1] != '/' || !believable(b[start:end], true) {
		return Find{}, false
	}
	return Find{Start: start, End: end, Value: start, Until: end}, true
}

// folded passes over the sign that a value stands on the next lines: ">-", "|".
func folded(b []byte, start int) int {
	if start >= len(b) || b[start] != '>' && b[start] != '|' {
		return start
	}
	at := skip(b, start+1, "+-0123456789 ")
	line := lineEnd(b, at)
	value := skip(b, line, " \t")
	if line == at || value == line {
		return start
	}
	return value
}

// verbs part what a credential is called from its value, in a sentence.
var verbs = [][]byte{[]byte("is: "), []byte("is "), []byte("was "), []byte("lautet: "), []byte("lautet "), []byte("ist: "), []byte("ist "), []byte("est : "), []byte("est: "), []byte("est "), []byte("es: "), []byte("es "), []byte("è: "), []byte("è "), []byte("é: "), []byte("é ")}

// whose are the words with which it is said what a credential is for.
var whose = [][]byte{[]byte("for "), []byte("of "), []byte("für "), []byte("fuer "), []byte("von "), []byte("pour "), []byte("de "), []byte("para "), []byte("per "), []byte("del ")}

// verbAt passes over a verb at i, or over what the credential is for and the
// verb behind that; i when there is none.
func verbAt(b []byte, i int) int {
	for _, w := range verbs {
		if bytes.HasPrefix(b[i:], w) {
			return i + len(w)
		}
	}
	for _, w := range whose {
		if !bytes.HasPrefix(b[i:], w) {
			continue
		}
		at := i + len(w)
		for words := 0; words < 4 && at < len(b); words++ {
			for at < len(b) && b[at] > ' ' && at-i < 64 {
				at++
			}
			if at >= len(b) || b[at] != ' ' {
				return i
			}
			at++
			for _, v := range verbs {
				if bytes.HasPrefix(b[at:], v) {
					return at + len(v)
				}
			}
		}
	}
	return i
}

// sshpass matches the password on the command line of sshpass.
func sshpass(b []byte, i int) (Find, bool) {
	start := i + len("sshpass -p")
	start = skip(b, start, " =")
	quote := byte(0)
	if start < len(b) && (b[start] == '"' || b[start] == '\'') {
		quote, start = b[start], start+1
	}
	end := valueEnd(b, start, quote)
	if v := b[start:end]; len(v) < 6 || harmless(v) || v[0] == '$' || v[0] == '<' {
		return Find{}, false
	}
	return Find{Start: start, End: end, Value: start, Until: end}, true
}

// Bounds of a table.
const (
	longestHead = 512
	mostRows    = 100
)

// headed reports the name of a column in the first line of a table.
func headed(b []byte, i, at int) bool {
	next := skip(b, at, " \t\"'`*")
	if next < len(b) && b[next] != '|' && b[next] != ',' && b[next] != ';' && b[next] != '\n' && b[next] != '\r' && !(next > at && b[next-1] == '\t') {
		return false
	}
	from := bytes.LastIndexByte(b[:i], '\n') + 1
	end := endOfLine(b, at)
	if i-from > longestHead || end-from > longestHead || end >= len(b) {
		return false
	}
	mark := markOf(b[from:end])
	if mark == 0 || bytes.ContainsAny(b[from:end], "(){}=:") || cells(b[from:end], mark) != cells(b[end+1:endOfLine(b, end+1)], mark) {
		return false
	}
	for _, cell := range bytes.Split(b[from:end], []byte{mark}) {
		if len(bytes.Fields(cell)) > 3 {
			return false
		}
	}
	if from > 0 { // a table has one head
		before := bytes.LastIndexByte(b[:from-1], '\n') + 1
		return from-1-before > longestHead || cells(b[before:from-1], mark) != cells(b[from:end], mark)
	}
	return true
}

// column appends the values that stand below the name of a column at i.
func column(dst []Find, b []byte, i int) []Find {
	from := bytes.LastIndexByte(b[:i], '\n') + 1
	end := endOfLine(b, i)
	mark := markOf(b[from:end])
	n, wide := bytes.Count(b[from:i], []byte{mark}), cells(b[from:end], mark)
	for row := 0; row < mostRows && end+1 < len(b); row++ {
		start := end + 1
		if end = endOfLine(b, start); end-start > 4*longestHead || cells(b[start:end], mark) != wide {
			return dst
		}
		for range n {
			start += bytes.IndexByte(b[start:end], mark) + 1
		}
		until := end
		if k := bytes.IndexByte(b[start:end], mark); k >= 0 {
			until = start + k
		}
		start = skip(b, start, " \t\"'`*")
		for until > start && bytes.IndexByte([]byte(" \t\r\"'`*"), b[until-1]) >= 0 {
			until--
		}
		if until > start && believable(b[start:until], false) {
			dst = append(dst, Find{Class: Secret, Kind: kindValue, Start: start, End: until, Value: start, Until: until})
		}
	}
	return dst
}

func endOfLine(b []byte, i int) int {
	if n := bytes.IndexByte(b[min(i, len(b)):], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}

// markOf is what parts the columns of a line; 0 for nothing.
func markOf(line []byte) byte {
	for _, c := range []byte("|\t;,") {
		if bytes.IndexByte(line, c) >= 0 {
			return c
		}
	}
	return 0
}

// cells counts the columns; the rule below a head may be drawn with crosses.
func cells(line []byte, mark byte) int {
	n := bytes.Count(line, []byte{mark})
	if mark == '|' {
		n += bytes.Count(line, []byte{'+'}) * btoi(bytes.HasPrefix(bytes.TrimLeft(line, " |+"), []byte("--")))
	}
	return n
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
