package dlp

import "bytes"

// issued passes over a token that stands for a secret already. What its form
// leaves room for holds no secret.
func issued(b []byte, i int) (Find, bool) {
	end := issuedEnd(b, i)
	return Find{Start: i, End: end, Value: i}, end > 0
}

// issuedEnd is where the token at i ends; -1 when there is none.
func issuedEnd(b []byte, i int) int {
	at := i + 1 + bytes.IndexByte(b[i:], ':')
	kind := at
	for at < len(b) && ('a' <= b[at] && b[at] <= 'z' || b[at] == '_') {
		at++
	}
	if n := at - kind; n < 1 || n > longestKind || at >= len(b) {
		return -1
	}
	if b[at] == ':' {
		for k := range 6 {
			if at+1+k >= len(b) || !hexDigit(b[at+1+k]) {
				return -1
			}
		}
		at += 7
	}
	if at >= len(b) || b[at] != ']' {
		return -1
	}
	return at + 1
}

const longestKind = 13

// withoutIssued is a value without the tokens in it.
func withoutIssued(v []byte) []byte {
	for from := 0; ; {
		i := bytes.Index(v[from:], []byte("[secret:"))
		if i < 0 {
			return v
		}
		i += from
		end := issuedEnd(v, i)
		if end < 0 {
			from = i + 1
			continue
		}
		v, from = append(append([]byte(nil), v[:i]...), v[end:]...), i
	}
}

func hexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
