package session_test

import (
	"errors"
	"strings"
	"testing"

	"durward/internal/session"
)

// A name is the same each time, opens for whom it is bound to, and for nobody else.
func TestNamesAreStableAndBound(t *testing.T) {
	s, err := session.NewSealer([]byte("pepper"))
	if err != nil {
		t.Fatal(err)
	}
	name := s.Name([]byte("up\x00tool\x00id"), "task", "alice")
	if again := s.Name([]byte("up\x00tool\x00id"), "task", "alice"); again != name {
		t.Errorf("Name = %q and then %q", name, again)
	}
	if got, err := s.Named(name, "task", "alice"); err != nil || string(got) != "up\x00tool\x00id" {
		t.Errorf("Named = %q %v, want what was named", got, err)
	}
	if strings.ContainsAny(name, " /+=") {
		t.Errorf("%q does not fit into a header as it is", name)
	}
	for what, try := range map[string]func() ([]byte, error){
		"another agent":   func() ([]byte, error) { return s.Named(name, "task", "bob") },
		"another purpose": func() ([]byte, error) { return s.Named(name, "alice") },
		"another gateway": func() ([]byte, error) {
			other, _ := session.NewSealer([]byte("salt"))
			return other.Named(name, "task", "alice")
		},
		"a changed name": func() ([]byte, error) { return s.Named(name[1:]+name[:1], "task", "alice") },
		"a cut name":     func() ([]byte, error) { return s.Named(name[:10], "task", "alice") },
		"nothing":        func() ([]byte, error) { return s.Named("", "task", "alice") },
		"far too much":   func() ([]byte, error) { return s.Named(strings.Repeat("A", 1<<20), "task", "alice") },
	} {
		if got, err := try(); !errors.Is(err, session.ErrSeal) {
			t.Errorf("%s: Named = %q %v, want ErrSeal", what, got, err)
		}
	}
	if s.Name([]byte("up\x00tool\x00id"), "task", "bob") == name {
		t.Error("two agents have the same name for it")
	}
}
