package model

import "durward/internal/guard/match"

// LeastMargin is below every margin that passages have in practice.
const LeastMargin = -20

// Buckets is the size of the table of hashed word groups.
const Buckets = 1 << 17

const prime = 0x9E3779B1

func bucket(h uint32) uint32 {
	h ^= h >> 15
	h *= 0x85ebca6b
	h ^= h >> 13
	return h & (Buckets - 1)
}

// appendGrams appends the buckets of the words, word pairs and word triples of
// b, and of the beginnings of words, and tells whether b is not English.
// Digits count alike, long tokens too.
func appendGrams(dst []uint32, b []byte) (grams []uint32, alien bool) {
	var w1, w2, s1 uint32 // the words before, and the stem before
	words, english := 0, 0
	for i := 0; i < len(b); {
		if b[i] == '\\' && match.Escaped(b, i) {
			i += 2
			continue
		}
		h, stem, n := word(b[i:])
		if n == 0 {
			i++
			continue
		}
		i += n
		if n > 1 && n <= 16 {
			words++
			if frame[h%uint32(len(frame))] {
				english++
			}
		}
		dst = append(dst, bucket(h))
		if w1 != 0 {
			dst = append(dst, bucket(h*31+w1*prime))
			dst = append(dst, bucket(stem*37+s1*prime+11))
		}
		if w2 != 0 {
			dst = append(dst, bucket(h*31+w1*prime+w2*0x27d4eb2f))
		}
		w2, w1, s1 = w1, h, stem
	}
	return dst, words >= leastAlien && english*12 < words
}

// leastAlien are the words that it takes to call a sentence not English.
const leastAlien = 6

const stemLen = 5

// word hashes the word at the start of b and its first letters. Han, kana and
// Hangul count a character as a word.
func word(b []byte) (hash, stem uint32, n int) {
	c := b[0]
	if c >= 0xe3 && c < 0xf0 && len(b) >= 3 {
		h := uint32(c)*0x10001 ^ uint32(b[1])*0x101 ^ uint32(b[2])
		h = h*prime + 7
		return h, h, 3
	}
	h := uint32(2166136261)
	for n < len(b) {
		c := fold[b[n]]
		if c == 0 || b[n] >= 0xe3 && b[n] < 0xf0 {
			break
		}
		h = (h ^ uint32(c)) * 16777619
		n++
		if n == stemLen {
			stem = h
		}
	}
	if n < stemLen {
		stem = h
	}
	if n > 24 {
		return 0x51ed270b, 0x51ed270b, n
	}
	return h | 1, stem | 1, n
}

// fold maps the bytes of words: lower case, one digit for all, 0 between words.
var fold = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case 'a' <= c && c <= 'z', c >= 0x80, c == '\'':
			t[c] = byte(c)
		case 'A' <= c && c <= 'Z':
			t[c] = byte(c) | 0x20
		case '0' <= c && c <= '9':
			t[c] = '0'
		}
	}
	return t
}()
