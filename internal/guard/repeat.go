package guard

import "strings"

// Bounds on what is looked for again in the rest of a message.
const (
	leastRepeated = 8 // bytes
	mostRepeated  = 64
)

// unrepeated is a message without the secrets that were cut out of it in one
// place, where nothing tells what they are in another.
func unrepeated(body []byte, secrets []Secret) []byte {
	if len(secrets) == 0 {
		return body
	}
	var pairs []string
	for _, s := range secrets {
		if len(s.Value) >= leastRepeated && len(pairs) < 2*mostRepeated && strings.Trim(s.Value, s.Value[:1]) != "" {
			pairs = append(pairs, s.Value, s.Token)
		}
	}
	if len(pairs) == 0 {
		return body
	}
	tokens, state := strings.NewReplacer(pairs...), false
	after := rewrite(body, func(text string) string {
		if state { // it has to come back as it is
			state = false
			return text
		}
		state = text == "requestState" || text == "progressToken"
		return tokens.Replace(text)
	})
	if after == nil {
		return body
	}
	return after
}

// isReference reports members that no model reads and that have to come as they
// are, however random: the state of a request, and the token of its progress,
// which is the client's own (a server's is known by then, or dropped).
func isReference(key []byte, depth int) bool {
	return depth == 0 && string(key) == "requestState" || depth <= 1 && string(key) == "progressToken"
}
