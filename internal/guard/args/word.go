package args

// word reports a value that is one word, a number, or an identifier: no
// interpreter takes anything else out of it.
func word(v string) bool {
	if len(v) > 64 || v == "" || v[0] == '-' {
		return false
	}
	last := byte(0)
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9':
		case (c == '-' || c == '.') && c != last: // not a comment of SQL, not a way up
		default:
			return false
		}
		last = v[i]
	}
	return true
}

// names reports fields whose values lead somewhere: there a word says much.
func (f Field) names() bool { return f == Path || f == URL || f == URI || f == Host }
