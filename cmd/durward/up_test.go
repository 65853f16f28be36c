package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"durward/internal/config"
)

// homeWith makes a home folder in which Claude Code has a server.
func homeWith(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Chdir(home)
	text := `{"mcpServers": {"notes": {"command": "notes-server", "env": {"K": "hunter2"}}, "off": {"command": "x", "disabled": true}}}`
	if err := os.WriteFile(filepath.Join(home, ".claude.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUpAsksBeforeItImports(t *testing.T) {
	homeWith(t)
	cfg, err := config.Default(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		input      string
		tty, fresh bool
		f          upFlags
		want       int
		asked      bool
	}{
		"yes":                       {input: "y\n", tty: true, fresh: true, want: 1, asked: true},
		"just enter":                {input: "\n", tty: true, fresh: true, want: 1, asked: true},
		"no":                        {input: "n\n", tty: true, fresh: true, asked: true},
		"the input ends":            {input: "", tty: true, fresh: true, asked: true},
		"--yes":                     {tty: true, fresh: true, f: upFlags{yes: true}, want: 1},
		"no terminal":               {input: "y\n", fresh: true},
		"--yes without a terminal":  {fresh: true, f: upFlags{yes: true}},
		"a folder that is in use":   {input: "y\n", tty: true},
		"a file that was named":     {f: upFlags{imports: []string{".claude.json"}}, want: 1},
		"named, on a folder in use": {tty: true, f: upFlags{imports: []string{".claude.json"}}, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(c.input, c.tty)
			found, err := d.toImport(bufio.NewScanner(d.in), c.f, cfg, c.fresh)
			if err != nil || len(found.Proposals) != c.want {
				t.Errorf("found %d servers, %v; want %d", len(found.Proposals), err, c.want)
			}
			if asked := strings.Contains(d.stderr.String(), "Put them behind Durward?"); asked != c.asked {
				t.Errorf("asked = %v, want %v: %s", asked, c.asked, d.stderr)
			}
			if strings.Contains(d.stderr.String(), "hunter2") || d.stdout.Len() > 0 {
				t.Errorf("it printed %s%s", d.stdout, d.stderr)
			}
		})
	}
}

func TestUpAsksWhatMayBeCalled(t *testing.T) {
	for input, want := range map[string]string{"\n": allowNone, "": allowNone, "all\n": allowAll, "maybe\nREADS\n": allowReads, "none\n": allowNone} {
		d := newDesk(input, true)
		if got := d.askAllow(bufio.NewScanner(d.in)); got != want {
			t.Errorf("after %q askAllow = %s, want %s", input, got, want)
		}
	}
	if got := newDesk("all\n", false).askAllow(nil); got != allowNone {
		t.Errorf("with nobody to ask askAllow = %s, want none", got)
	}
}

func TestWhatImportedServersMayBeCalled(t *testing.T) {
	var tools []json.RawMessage
	for _, def := range []string{
		`{"name": "get", "annotations": {"readOnlyHint": true}}`, `{"name": "put"}`, `{"name": "odd", "annotations": 7}`,
		`{"name": "*", "annotations": {"readOnlyHint": true}}`, `{"name": "a\nb", "annotations": {"readOnlyHint": true}}`, `7`,
	} {
		tools = append(tools, json.RawMessage(def))
	}
	for choice, want := range map[string][]string{allowReads: {"x__get"}, allowAll: {"x__*"}, allowNone: nil} {
		if got := permitted(choice, "x", tools); !slices.Equal(got, want) {
			t.Errorf("permitted(%s) = %v, want %v", choice, got, want)
		}
	}
}

func TestTimesThatPeopleWrite(t *testing.T) {
	now := mustTime(t, "2026-11-22T12:00:00Z")
	for text, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "2026-11-20": "2026-11-20T00:00:00Z", "90m": "2026-11-22T10:30:00Z", "90m ago": "2026-11-22T10:30:00Z",
		"2026-11-22 11:00:00": "2026-11-22T11:00:00Z", "2026-11-22T10:00:00+02:00": "2026-11-22T08:00:00Z",
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(mustTime(t, want)) {
			t.Errorf("moment(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"": "0001-01-01T00:00:00Z", "never": "0001-01-01T00:00:00Z", "30d": "2026-12-22T12:00:00Z", "12h": "2026-11-23T00:00:00Z", "2027-01-31": "2027-01-31T00:00:00Z"} {
		if got, err := ahead(text, now); err != nil || !got.Equal(mustTime(t, want)) {
			t.Errorf("ahead(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"-5m", "2020-01-01", "soon", "d", "0h"} {
		if got, err := ahead(text, now); err == nil {
			t.Errorf("ahead(%q) = %v, want an error", text, got)
		}
	}
}
