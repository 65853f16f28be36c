package text

import "bytes"

// nextSpaced closes up letters that were spaced out ("i g n o r e", "i.g.n");
// two blanks or a slash part the words, else the words run together.
func nextSpaced(b []byte, pos, _ int) (Span, []byte) {
	for pos < len(b) {
		start, i, count := pos, pos, 0
		between := byte(' ') // what stands between the letters
		if pos+2 < len(b) && spacer(b[pos+1]) && isWordByte(b[pos+2]) {
			between = b[pos+1]
		}
		var out []byte
		for i < len(b) && isWordByte(b[i]) && (i+1 == len(b) || !isWordByte(b[i+1])) {
			out = append(out, b[i])
			count++
			gap, blanks := i+1, 0
			for gap < len(b) && !isWordByte(b[gap]) && gap-i <= 7 {
				if b[gap] == ' ' || b[gap] == between {
					blanks++
				} else if b[gap] < 0x80 {
					out = append(out, b[gap])
					blanks--
				}
				gap++
			}
			if blanks > 1 {
				out = append(out, ' ')
			}
			i = gap
		}
		if count >= 6 {
			return Span{start, i}, out
		}
		for pos < len(b) && isWordByte(b[pos]) {
			pos++
		}
		for pos < len(b) && !isWordByte(b[pos]) {
			pos++
		}
	}
	return Span{}, nil
}

// spacer are marks that letters are spaced with.
func spacer(c byte) bool {
	switch c {
	case '.', '-', '_', '*', '|', ',', '+', '~':
		return true
	}
	return false
}

func leetByte(c byte) (byte, bool) {
	switch c {
	case '0':
		return 'o', true
	case '1':
		return 'i', true
	case '3':
		return 'e', true
	case '4', '@':
		return 'a', true
	case '5', '$':
		return 's', true
	case '7':
		return 't', true
	}
	return c, false
}

// leetWord reports letters with digits among them, as in "1gn0re".
func leetWord(w []byte) bool {
	digits, letters := 0, 0
	for _, c := range w {
		if _, ok := leetByte(c); ok {
			digits++
		} else if 'a' <= c|0x20 && c|0x20 <= 'z' {
			letters++
		} else {
			return false
		}
	}
	return digits > 0 && letters > 1 && letters >= digits && !(leading(w) >= len(w)-digits)
}

// leading counts the letters before the first digit: "sha256" is a name.
func leading(w []byte) int {
	for i, c := range w {
		if digit(c) {
			return i
		}
	}
	return len(w)
}

func nextLeet(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := bytes.Clone(b)
	for i := 0; i < len(out); {
		start := i
		for i < len(out) && (isWordByte(out[i]) || out[i] == '@' || out[i] == '$') {
			i++
		}
		if w := out[start:i]; len(w) > 1 && hasLetter(w) {
			for k, c := range w {
				w[k], _ = leetByte(c)
			}
		}
		if i == start {
			i++
		}
	}
	return Span{0, len(b)}, out
}

func hasLetter(w []byte) bool {
	for _, c := range w {
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			return true
		}
	}
	return false
}

func rotWord(w []byte) bool {
	return len(w) <= 6 && (bytes.EqualFold(w, []byte("rot13")) || bytes.EqualFold(w, []byte("rot-13")) || bytes.EqualFold(w, []byte("rot")))
}

func nextRot(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := bytes.Clone(b)
	for i, c := range out {
		switch {
		case 'a' <= c && c <= 'z':
			out[i] = 'a' + (c-'a'+13)%26
		case 'A' <= c && c <= 'Z':
			out[i] = 'A' + (c-'A'+13)%26
		}
	}
	return Span{0, len(b)}, out
}

// nextTags drops markup that parts words ("ig<b></b>nore").
func nextTags(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '<' {
			out = append(out, b[i])
			continue
		}
		end := bytes.IndexByte(b[i:min(len(b), i+256)], '>')
		if end < 0 {
			out = append(out, b[i])
			continue
		}
		i += end
	}
	return Span{0, len(b)}, out
}
