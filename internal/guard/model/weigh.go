package model

import "durward/internal/guard/match"

// weigh does what appendGrams does and sums up the weights of the word groups.
func (w *Weights) weigh(b []byte) (sum, n int32, alien bool) {
	var w1, w2, s1 uint32 // the words before, and the stem before
	words, english := 0, 0
	for i := 0; i < len(b); {
		if fold[b[i]] == 0 {
			if b[i] == '\\' && match.Escaped(b, i) {
				i++
			}
			i++
			continue
		}
		h, stem, size := word(b[i:])
		if size == 0 { // a cut character
			i++
			continue
		}
		i += size
		if size > 1 && size <= 16 {
			words++
			if frame[h%uint32(len(frame))] {
				english++
			}
		}
		sum += int32(w.grams[bucket(h)])
		n++
		if w1 != 0 {
			sum += int32(w.grams[bucket(h*31+w1*prime)]) + int32(w.grams[bucket(stem*37+s1*prime+11)])
			n += 2
		}
		if w2 != 0 {
			sum += int32(w.grams[bucket(h*31+w1*prime+w2*0x27d4eb2f)])
			n++
		}
		w2, w1, s1 = w1, h, stem
	}
	return sum, n, words >= leastAlien && english*12 < words
}
