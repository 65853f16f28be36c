package match

// Once is Append from the beginning alone.
func (a *Automaton) Once(hits []Hit, b []byte) []Hit {
	return a.end(hits, a.run(&hits, b, 0, len(b), a.start()), len(b))
}
