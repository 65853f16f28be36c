package flow

// fingerprint remembers what is in b: of a text of up to maxScanned bytes all
// of it, of a longer one every so manieth fingerprint and the rare values of
// the whole. What is full makes room by forgetting something at random.
func (s *Session) fingerprint(b []byte, at origin) {
	if len(b) > maxScanned {
		s.thin = max(s.thin, s.from[at].class)
	}
	b = b[:min(len(b), maxRead)]
	parts := uint32(max(1, (len(b)+maxScanned-1)/maxScanned))
	value := func(v []byte) { s.put(s.values, maxValues, hashOf(v), at) }
	var folded []byte
	for from := 0; from < len(b); from += maxScanned {
		part := b[from:min(len(b), from+maxScanned+maxValue)] // a value on the border is in both
		folded = squeeze(folded[:0], part)
		winnow(folded, func(h uint32) {
			if h%parts == 0 {
				s.put(s.prints, maxPrints, h, at)
			}
		})
		eachValue(part, value)
		if from == 0 { // phrases are in every text, and would fill the memory
			eachPhrase(part, value)
		}
	}
}

// maxValue is the length of the longest value that counts as one.
const maxValue = 256

func (s *Session) put(in map[uint32]origin, most int, h uint32, at origin) {
	if _, known := in[h]; !known && len(in) >= most {
		for other, from := range in { // whichever comes first
			s.thin = max(s.thin, s.from[from].class)
			delete(in, other)
			break
		}
	}
	in[h] = at
}
