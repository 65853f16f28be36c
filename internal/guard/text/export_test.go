package text

// HintsWithoutPlace lists hints that another one hides.
func HintsWithoutPlace() (out []string) {
	for _, h := range hints {
		if hinted([]byte(h.word)) == 0 {
			out = append(out, h.word)
		}
	}
	return out
}

// Survey tells which encodings a text may hold, as bits.
func Survey(b []byte) uint16 { return uint16(new(outline).survey(b)) }

// PlainSurvey is Survey as it was at first, byte by byte: whatever is done to
// be quicker must say the same.
func PlainSurvey(b []byte) uint16 {
	var m mark
	var words, percent, entity, escape, pairs, single, digitInWord, tagInWord, piece, pieces, pieceEnd int
	var seen uint32 // of hints
	for i := 0; i < len(b); {
		start, in := i, uint8(0)
		for i < len(b) {
			class := classOf[b[i]]
			if class&inWordBit == 0 {
				break
			}
			if in |= class; class == inWordBit {
				in |= 1 << 7 // no letter
			}
			i++
		}
		if n := i - start; n > 0 {
			if n >= 3 && n < minEncoded && in == isLetterBit|inWordBit { // a word like most
				pairs, single = 0, 0
				if words++; words > localWords && m&markLeet == 0 {
					words, digitInWord = 1, 0
				}
				if hintLengths>>n&1 != 0 && hintAt[hintHash(b[start:i])] != 0 {
					seen |= hinted(b[start:i])
				}
				if b[start]|0x20 == 'r' && b[start+1]|0x20 == 'o' && rotWord(b[start:i]) {
					m |= markRot
				}
				continue
			}
			if n >= 4 && n < minEncoded {
				if pieces++; n != piece || start > pieceEnd+2 { // one blank or line end away
					pieces = 1
				}
				if piece, pieceEnd = n, i; pieces >= 3 || pieces == 2 && n < 6 {
					m |= markBlocks
				}
			}
			switch {
			case n >= minEncoded:
				m |= markBase
				pairs, single = 0, 0
			case n == 1:
				if single++; single >= 6 {
					m |= markSpaced
				}
			case n == 2 && hexDigit(b[start]) && hexDigit(b[start+1]), n <= 3 && digit(b[start]), n == 8 && binaryWord(b[start:i]):
				if pairs++; pairs >= 8 {
					m |= markHexPairs
				}
				single = 0
			default:
				pairs, single = 0, 0
			}
			if n >= 3 {
				if words++; words > localWords && m&markLeet == 0 {
					words, digitInWord = 1, 0
				}
			}
			if n >= 3 && n < minEncoded && leetWord(b[start:i]) {
				if digitInWord++; digitInWord >= 4 && digitInWord*5 >= words {
					m |= markLeet
				}
			}
			if (b[start] == 'r' || b[start] == 'R') && n >= 3 && rotWord(b[start:i]) {
				m |= markRot
			}
			continue
		}
		switch c := b[i]; c {
		case '%':
			if i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]) {
				if percent++; percent >= 3 {
					m |= markPercent
				}
			}
		case '&':
			if i+1 < len(b) && (b[i+1] == '#' || b[i+1] == 'l' || b[i+1] == 'g' || b[i+1] == 'a') {
				if entity++; entity >= 2 {
					m |= markEntity
				}
			}
		case '\\':
			if i+1 < len(b) && (b[i+1] == 'u' || b[i+1] == 'x') {
				if escape++; escape >= 4 {
					m |= markEscape
				}
			}
		case '<':
			if i > 0 && isWordByte(b[i-1]) && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '!' || isWordByte(b[i+1])) {
				if tagInWord++; tagInWord >= 2 {
					m |= markTags
				}
			}
		case '\n', '\r':
			single = 0
			if i > 1 && b[i-1] == '=' && b[i-2] > ' ' && b[i-2] != '=' {
				m |= markMail
			}
		case '.':
			if i+1 < len(b) && b[i+1] <= ' ' {
				single = 0
			}
		}
		i++
	}
	if seen != 0 {
		m |= worth(seen)
	}
	return uint16(m)
}
