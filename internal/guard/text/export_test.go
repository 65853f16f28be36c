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
