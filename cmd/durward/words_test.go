package main

import (
	"slices"
	"testing"
)

func TestCommandWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                            nil,
		" npx  -y @a/b ":              {"npx", "-y", "@a/b"},
		`run "two words" 'and $HOME'`: {"run", "two words", "and $HOME"},
		`a\ b "c\"d" 'e\f' ""`:        {"a b", `c"d`, `e\f`, ""},
		`x--key="a b"c`:               {"x--key=a bc"},
	} {
		if got, err := commandWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("commandWords(%s) = %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `a'`, `a\`} {
		if got, err := commandWords(line); err == nil {
			t.Errorf("commandWords(%s) = %q", line, got)
		}
	}
}

func TestSuspicionsAreFew(t *testing.T) {
	got := suspicions("s", []string{"a: x", "b: x", "c: x", "d: x", "e: x"})
	want := []string{"! a: x", "! b: x", "! c: x", "! and 2 more tools; see durward scan --upstream s"}
	if !slices.Equal(got, want) {
		t.Errorf("suspicions = %q", got)
	}
	if got := suspicions("s", nil); len(got) != 0 {
		t.Errorf("suspicions of nothing = %q", got)
	}
}
