package dlp

// numbersIn reads characters that are written as numbers: pairs of
// hexadecimal digits, or decimals.
func numbersIn(o *opener, dst []Find, b []byte, depth int) []Find {
	for i := 0; i < len(b); {
		start, end, n := numberRow(b, i)
		i = max(end, i+1)
		if n < leastPairs {
			continue
		}
		for _, base := range bases(b[start:end]) {
			if f, ok := o.held(characters(b[start:end], base), depth); ok {
				f.Start, f.End, f.Value, f.Until, f.Quote = start, end, start, end, false
				dst = append(dst, f)
				break
			}
		}
	}
	return dst
}

// numberRow is the row of numbers at or behind i, or where to go on.
func numberRow(b []byte, i int) (start, end, n int) {
	for i < len(b) && role[b[i]] != inRun {
		i++
	}
	start, end = i, i
	for i < len(b) {
		last := tokenEnd(b, i)
		if last == i || !number(b[i:last]) {
			break
		}
		end, n = last, n+1
		for i = last; i < len(b) && i-last < 4 && !alnum(b[i]); i++ {
		}
	}
	if n == 0 {
		end = max(tokenEnd(b, start), runEnd(b, start))
	}
	return start, end, n
}

func tokenEnd(b []byte, i int) int {
	for i < len(b) && alnum(b[i]) {
		i++
	}
	return i
}

// bases are those that a row of numbers may be in.
func bases(row []byte) []int {
	decimal, letters := false, false
	each(row, func(tok []byte) {
		decimal = decimal || len(tok) == 3
		letters = letters || len(tok) == 4 || !digit(tok[0]) || !digit(tok[1])
	})
	switch {
	case letters:
		return []int{16}
	case decimal:
		return []int{10}
	}
	return []int{10, 16}
}

func characters(row []byte, base int) []byte {
	var out []byte
	each(row, func(tok []byte) {
		if len(tok) == 4 {
			tok = tok[2:]
		}
		if c := code(tok, base); c < 0x100 {
			out = append(out, byte(c))
		}
	})
	return out
}

func each(row []byte, see func(tok []byte)) {
	for i := 0; i < len(row); {
		end := tokenEnd(row, i)
		if end > i {
			see(row[i:end])
		}
		i = max(end, i+1)
	}
}
