package session_test

import (
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/session"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, table *session.Table, agent string) *durward.Session {
	t.Helper()
	s, err := table.Open(durward.Session{Agent: agent}, now)
	if err != nil {
		t.Fatalf("Open for %s: %v", agent, err)
	}
	return s
}

func TestASessionBelongsToItsAgent(t *testing.T) {
	table := session.NewTable(session.Options{})
	s := open(t, table, "bot")
	if got, err := table.Attach(s.ID, "bot", now); err != nil || got != s {
		t.Fatalf("Attach by its agent = %v, %v", got, err)
	}
	foreign := errOf(table.Attach(s.ID, "other", now))
	unknown := errOf(table.Attach("no-such-session", "other", now))
	if foreign == "" || foreign != unknown {
		t.Errorf("a foreign session answers %q, an unknown one %q: want the same refusal", foreign, unknown)
	}
	if err := table.Close(s.ID, "other"); err == nil {
		t.Error("another agent could end the session")
	}
	if err := table.Close(s.ID, "bot"); err != nil {
		t.Errorf("Close by its agent: %v", err)
	}
	if _, err := table.Attach(s.ID, "bot", now); durward.AsError(err).Code != durward.SessionGone {
		t.Errorf("Attach after Close = %v, want SessionGone", err)
	}
}

func errOf(_ *durward.Session, err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSessionsAreBounded(t *testing.T) {
	table := session.NewTable(session.Options{PerAgent: 2, Total: 3})
	open(t, table, "a")
	last := open(t, table, "a")
	if _, err := table.Open(durward.Session{Agent: "a"}, now); durward.AsError(err).Code != durward.Overloaded {
		t.Errorf("third session of one agent: %v, want Overloaded", err)
	}
	open(t, table, "b")
	if _, err := table.Open(durward.Session{Agent: "c"}, now); durward.AsError(err).Code != durward.Overloaded {
		t.Errorf("fourth session of all: %v, want Overloaded", err)
	}
	if err := table.Close(last.ID, "a"); err != nil {
		t.Fatal(err)
	}
	open(t, table, "c")
}

func TestIdleSessionsEnd(t *testing.T) {
	table := session.NewTable(session.Options{Idle: time.Hour})
	idle, used := open(t, table, "bot"), open(t, table, "bot")
	if _, err := table.Attach(used.ID, "bot", now.Add(50*time.Minute)); err != nil {
		t.Fatal(err)
	}
	later := now.Add(90 * time.Minute)
	if _, err := table.Attach(idle.ID, "bot", later); err == nil {
		t.Error("an idle session was still found")
	}
	ended := table.Sweep(later, func(string) bool { return true })
	if len(ended) != 1 || ended[0].ID != idle.ID || table.Len() != 1 {
		t.Errorf("Sweep ended %v and left %d, want the idle one ended and 1 left", ended, table.Len())
	}
	if ended := table.Sweep(later, func(string) bool { return false }); len(ended) != 1 || table.Len() != 0 {
		t.Errorf("Sweep of a removed agent ended %d and left %d", len(ended), table.Len())
	}
}

func TestSealedStateOpensOnlyForItsBinding(t *testing.T) {
	s, err := session.NewSealer([]byte("pepper-pepper-pepper-pepper-1234"))
	if err != nil {
		t.Fatal(err)
	}
	text := s.Seal([]byte("state"), now.Add(time.Minute), "bot", "files", "tools/call")
	if got, err := s.Open(text, now, "bot", "files", "tools/call"); err != nil || string(got) != "state" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	for what, open := range map[string]func() ([]byte, error){
		"another agent":         func() ([]byte, error) { return s.Open(text, now, "eve", "files", "tools/call") },
		"another upstream":      func() ([]byte, error) { return s.Open(text, now, "bot", "crm", "tools/call") },
		"shifted binding":       func() ([]byte, error) { return s.Open(text, now, "botfiles", "", "tools/call") },
		"too late":              func() ([]byte, error) { return s.Open(text, now.Add(time.Minute), "bot", "files", "tools/call") },
		"empty":                 func() ([]byte, error) { return s.Open("", now, "bot", "files", "tools/call") },
		"not base64":            func() ([]byte, error) { return s.Open("!!", now, "bot", "files", "tools/call") },
		"longer than the bound": func() ([]byte, error) { return s.Open(strings.Repeat("A", 2<<20), now, "bot", "files", "tools/call") },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: Open = %q, want ErrSeal", what, got)
		}
	}
	for i := range text {
		b := []byte(text)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		if _, err := s.Open(string(b), now, "bot", "files", "tools/call"); err == nil {
			t.Fatalf("Open accepted a change of character %d", i)
		}
	}
}
