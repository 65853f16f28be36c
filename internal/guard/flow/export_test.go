package flow

import "bytes"

// Reading is what a text is to the memory of private data: its letters and
// digits, its fingerprints, its values.
func Reading(b []byte) (letters []byte, prints []uint32, values []string) {
	letters = squeeze([]byte("x"), b)
	winnow(letters, func(h uint32) { prints = append(prints, h) })
	eachValue(b, func(v []byte) { values = append(values, string(v)) })
	return letters, prints, values
}

// PlainReading is Reading as it was at first: whatever is done to be quicker
// must say the same.
func PlainReading(b []byte) (letters []byte, prints []uint32, values []string) {
	letters = plainSqueeze([]byte("x"), b)
	plainWinnow(letters, func(h uint32) { prints = append(prints, h) })
	plainEachValue(b, func(v []byte) { values = append(values, string(v)) })
	return letters, prints, values
}

func plainSqueeze(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+1 < len(b) && (b[i+1] == 'n' || b[i+1] == 't' || b[i+1] == 'r') {
			i++
			continue
		}
		if c = squeezed[c]; c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

func plainWinnow(b []byte, keep func(uint32)) {
	var ring [window]uint32
	n, last, least := 0, uint32(0), uint32(0)
	hashes(b, func(h uint32) {
		gone := ring[n%window]
		ring[n%window] = h
		n++
		if n < window {
			return
		}
		if n == window || gone == least { // else only the new one can be less
			least = ring[0]
			for _, x := range ring[1:] {
				least = min(least, x)
			}
		} else {
			least = min(least, h)
		}
		if least != last || n == window {
			last = least
			keep(least)
		}
	})
	if n > 0 && n < window {
		for _, h := range ring[:n] {
			keep(h)
		}
	}
}

func plainEachValue(b []byte, fn func([]byte)) {
	for i := 0; i < len(b); {
		start := i
		digits := 0
		for i < len(b) && (wordByte(b[i]) || b[i] == '_' || b[i] == '@' || b[i] == '.' && i+1 < len(b) && wordByte(b[i+1]) || b[i] == '-' || b[i] == '+' || b[i] == '/' && i > start) {
			if '0' <= b[i] && b[i] <= '9' {
				digits++
			}
			i++
		}
		if v := b[start:i]; len(v) >= 6 && len(v) <= 256 && (digits >= 2 && !date(v) || bytes.IndexByte(v, '@') > 0) {
			fn(v)
		}
		if i == start {
			i++
		}
	}
}
