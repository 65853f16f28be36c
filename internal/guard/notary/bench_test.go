package notary_test

import (
	"fmt"
	"strings"
	"testing"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/notary"
)

// many is a list of tools as a large server has it: about 1 KB each.
func many(n int, prefix string) [][]byte {
	verbs := []string{"get", "list", "create", "update", "delete", "search", "export", "archive", "share", "rename"}
	nouns := []string{"invoice", "customer", "ticket", "project", "document", "calendar", "message", "report", "repository", "branch"}
	out := make([][]byte, n)
	for i := range out {
		name := fmt.Sprintf("%s%s_%s_%d", prefix, verbs[i%10], nouns[i/10%10], i/100)
		out[i] = fmt.Appendf(nil, `{"name":%q,"description":"%s the %s with the given id in workspace %d. %s","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"The id."},"limit":{"type":"integer","minimum":1,"maximum":100,"description":"How many at most."},"filter":{"type":"string","enum":["open","closed","all"]}},"required":["id"]},"annotations":{"readOnlyHint":%t}}`,
			name, verbs[i%10], nouns[i/10%10], i/100, strings.Repeat("Returns the fields of the object as JSON, with its links. ", 8), i%10 < 2)
	}
	return out
}

func newNotary(t testing.TB) *notary.Notary {
	t.Helper()
	e, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return notary.New(e)
}

func BenchmarkJudge(b *testing.B) {
	tools := many(1000, "")
	g := &notary.Policy{}
	first := newNotary(b).Judge(&notary.Offer{Upstream: "a", Tools: tools}, notary.NewBook(nil), g)
	if len(first.Trusted) != 1000 {
		b.Fatalf("%d of 1000 tools trusted: %+v", len(first.Trusted), first.Standings)
	}
	approved := notary.NewBook(first.Trusted)
	b.Run("1000 tools for the first time", func(b *testing.B) {
		for b.Loop() {
			newNotary(b).Judge(&notary.Offer{Upstream: "a", Tools: tools}, notary.NewBook(nil), g)
		}
	})
	b.Run("1000 approved tools at a start", func(b *testing.B) {
		for b.Loop() {
			newNotary(b).Judge(&notary.Offer{Upstream: "a", Tools: tools}, approved, g)
		}
	})
	b.Run("1000 approved tools listed again", func(b *testing.B) {
		n := newNotary(b)
		for b.Loop() {
			n.Judge(&notary.Offer{Upstream: "a", Tools: tools}, approved, g)
		}
	})
	b.Run("1000 new tools beside 1000 approved", func(b *testing.B) {
		other := many(1000, "my_")
		for b.Loop() {
			newNotary(b).Judge(&notary.Offer{Upstream: "b", Tools: other}, approved, g)
		}
	})
}

var _ = durward.PinTool
