package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/store"
	"durward/internal/store/storetest"
)

func open(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(dir, store.Options{Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return db
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) storetest.Store { return open(t, dir) })
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	db := open(t, dir)
	defer db.Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, store.FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s = %o, want %o", filepath.Base(path), got, want)
		}
	}
}

func TestAnOpenFileIsMadePrivate(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	path := filepath.Join(dir, store.FileName)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	defer open(t, dir).Close()
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %o, want 600", info.Mode().Perm())
	}
}

func TestSecondProcessIsToldWhy(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	defer db.Close()
	_, err := store.Open(dir, store.Options{Wait: 10 * time.Millisecond})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), store.FileName) {
		t.Errorf("second Open = %v, want ErrLocked naming the file", err)
	}
}

func TestDamagedFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, store.FileName), bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(dir, store.Options{}); err == nil {
		db.Close()
		t.Fatal("Open of garbage succeeded")
	}
}

func TestJournal(t *testing.T) {
	db := open(t, t.TempDir())
	defer db.Close()
	for i := range 3 {
		u := &durward.Upstream{Name: "x", URL: "https://x?key=s3cret", Headers: map[string]string{"Authorization": "Bearer s3cret"}, OAuth: &durward.OAuth{ClientSecret: "s3cret"}}
		if _, err := db.Apply(t.Context(), durward.Revision(i), fmt.Sprintf("person %d", i), []durward.Change{{PutUpstream: u}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Journal(t.Context(), 1, 10)
	if err != nil || len(got) != 2 || got[0].Revision != 2 || got[1].Revision != 3 || got[1].By != "person 2" || got[0].Time.Year() != 2026 {
		t.Fatalf("Journal = %+v, %v, want revisions 2 and 3", got, err)
	}
	held, err := json.Marshal(got)
	if err != nil || strings.Contains(string(held), "s3cret") || got[0].Changes[0].PutUpstream.Headers["Authorization"] != "[redacted]" {
		t.Errorf("the journal holds %s, %v, want [redacted]", held, err)
	}
	if one, _ := db.Journal(t.Context(), 0, 1); len(one) != 1 {
		t.Errorf("limit is not kept: %d entries", len(one))
	}
	state, err := db.State(t.Context())
	if err != nil || state.Upstreams[0].Headers["Authorization"] != "Bearer s3cret" {
		t.Errorf("the state lost the header: %+v, %v", state, err)
	}
}

func TestErasAreBounded(t *testing.T) {
	db := open(t, t.TempDir())
	defer db.Close()
	db.SetEra("x", strings.Repeat("long", 100))
	if _, ok := db.Era("x"); ok {
		t.Error("an era of 400 bytes was remembered")
	}
}

func BenchmarkState(b *testing.B) {
	db, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var changes []durward.Change
	for i := range 1000 {
		name := fmt.Sprintf("agent-%d", i)
		changes = append(changes,
			durward.Change{PutAgent: &durward.Agent{Name: name, Roles: []string{"r"}}},
			durward.Change{PutKey: &durward.Key{ID: "k_" + name, Agent: name, Created: time.Now()}})
	}
	if _, err := db.Apply(b.Context(), 0, "bench", changes); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := db.State(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
