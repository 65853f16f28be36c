package args

// The judge of markup, and what it looks for.
var (
	Script  = script
	Handler = handler
	Runs    = func() (all []string) {
		for _, r := range runs {
			all = append(all, r.words...)
		}
		return all
	}()
)
