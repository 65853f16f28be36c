package example

// seeds are the notes of an empty notebook: a short tour of Durward.
func seeds() []Note {
	return []Note{
		{
			ID: "welcome", Title: "Welcome to Durward", Tags: []string{"durward", "start"},
			Text: "This note came through a gateway. Your agent presented a key, a role allowed the tool, " +
				"the arguments were checked against the tool's schema, and the call was written to the record. " +
				"Run `durward audit tail` to see it.",
		},
		{
			ID: "keys", Title: "Keys", Tags: []string{"durward", "keys"},
			Text: "Every agent has keys of its own. `durward agent create NAME` mints one and shows it once; only a hash is kept. " +
				"`durward agent rotate NAME` adds a new key while the old one still works for a while, and " +
				"`durward agent revoke NAME` ends access at once.",
		},
		{
			ID: "roles", Title: "Roles", Tags: []string{"durward", "rules"},
			Text: "A role lists patterns of tools that are allowed and denied. Nothing is allowed by default, and a denial always wins. " +
				"A tool that an agent may not call does not appear in its list, and calling it by name looks as if it did not exist.",
		},
		{
			ID: "bait", Title: "About the poisoned tool", Tags: []string{"durward", "threats"},
			Text: "This server carries one tool, " + Bait + ", whose description holds hidden instructions for the model. " +
				"It is bait: it shows what tool poisoning looks like, and that the starter role refuses it.",
		},
		{
			ID: "record", Title: "The record", Tags: []string{"durward", "record"},
			Text: "Each call leaves one line: who, which key, which tool, a digest of the arguments, the verdict and its reason, and the outcome. " +
				"Lines are chained by hashes; `durward audit verify` finds a line that was changed or removed.",
		},
	}
}
