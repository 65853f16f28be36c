package dlp

import "unicode/utf8"

// HasRun tells a text with a run that may be encoded.
var HasRun = hasRun

// PlainAppend and PlainHasRun go over a text byte by byte, as Append and hasRun did
// at first: whatever is done to be quicker must say the same.
func PlainAppend(b []byte) []Find {
	var dst []Find
	open := 0
	for i := 0; i+1 < len(b); {
		c, next := b[i], b[i+1]
		if may(b, i, c, next) && (i >= open || c != '-') {
			if f, ok := plainAt(b, i, c); ok {
				if f.column {
					dst = column(dst, b, f.Start)
				} else if f.Class != "" {
					dst = append(dst, f)
				}
				if i = max(i+1, f.End); f.open {
					i, open = f.Start+len(keyLine), f.End
				}
				continue
			}
		}
		i++
		for was := kindOf[c]; was != 0 && i < len(b); i++ {
			now := kindOf[b[i]]
			if now == 0 || now == kindUpper && was == kindLower {
				break
			}
			was = now
		}
	}
	return settle(dst, 0)
}

// PlainHasRun see [PlainAppend].
func PlainHasRun(b []byte) bool {
	done := 0
	for i := 0; i < len(b); i += leastRun {
		if i < done {
			continue
		}
		at := i
		for at < len(b) && at < i+3 && role[b[at]] != inRun {
			at++
		}
		if at >= len(b) || role[b[at]] != inRun {
			continue
		}
		start, end := at, at
		for end < len(b) && role[b[end]] == inRun {
			end++
		}
		for start > done && role[b[start-1]] == inRun {
			start--
		}
		done = end
		if end-start >= leastRun && mixed(b[start:end]) || end-start <= 4 && number(b[start:end]) && inRow(b, start) {
			return true
		}
	}
	return false
}

// Passages are the parts of bytes that are text.
func Passages(b []byte) []byte { return passages(nil, b) }

// PlainPassages see [PlainAppend].
func PlainPassages(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); {
		n := 0
		for i+n < len(b) {
			c := b[i+n]
			if c >= utf8.RuneSelf {
				r, size := utf8.DecodeRune(b[i+n:])
				if r == utf8.RuneError {
					break
				}
				n += size
				continue
			}
			if c < ' ' && c != '\n' && c != '\t' && c != '\r' && c != 0x1b || c == 0x7f {
				break
			}
			n++
		}
		if n >= leastText {
			out = append(append(out, b[i:i+n]...), '\n')
		}
		i += n + 1
	}
	return out
}

// plainAt is at over all detectors of a first byte.
func plainAt(b []byte, i int, c byte) (Find, bool) {
	for k := range starts[c] {
		d := &starts[c][k]
		if !hasPrefix(b, i, d) {
			continue
		}
		if f, ok := d.match(b, i); ok {
			f.Class, f.Kind = d.class, pick(f.Kind, d.kind)
			if d.label && d.class == Secret && !f.column {
				refine(b, &f)
			}
			return f, true
		}
	}
	return Find{}, false
}
