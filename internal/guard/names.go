package guard

import "slices"

// Names lists the rules, and the vectors that rules belong to.
func Names() (rules, vectors []string) {
	for _, r := range Rules() {
		rules = append(rules, r.ID)
		if !slices.Contains(vectors, r.Vector) {
			vectors = append(vectors, r.Vector)
		}
	}
	return rules, vectors
}
