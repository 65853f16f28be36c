package lexicon_test

import (
	"testing"

	"durward/internal/guard/lexicon"
)

func TestConceptsAreFound(t *testing.T) {
	l := lexicon.Default()
	t.Logf("%d concepts, %d states", l.Len(), l.States())
	for _, c := range []struct{ text, concept string }{
		{"Please do_not  TELL anyone", "conceal"},
		{"cat ~/.ssh/id_rsa", "secretpath"},
		{"no menciones esto", "conceal"},
		{"请不要告诉用户", "conceal"},
		{"<IMPORTANT>", "markup"},
		{"the api_key", "credential"},
	} {
		want, ok := l.Lookup(c.concept)
		if !ok {
			t.Fatalf("no concept %s", c.concept)
		}
		found := false
		for _, h := range l.Append(nil, []byte(c.text)) {
			found = found || lexicon.Concept(h.ID) == want
		}
		if !found {
			t.Errorf("%q: %s not found", c.text, c.concept)
		}
	}
}
