package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/audit/vault"
)

func of(user, class string, month int) *durward.Record {
	return &durward.Record{ID: "c-" + user, Agent: "bot", User: user, Class: class, Time: time.Date(2026, time.Month(month), 15, 0, 0, 0, 0, time.UTC), Verdict: "allow", Outcome: "ok", Method: "tools/call"}
}

func seal(t *testing.T, v *vault.Vault, r *durward.Record, field, plain string) []byte {
	t.Helper()
	s, err := v.Seal(r, field, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s, []byte("secret")) {
		t.Fatalf("the value can be read: %s", s)
	}
	return s
}

func TestSealedValuesAreReadOnlyWithTheirKey(t *testing.T) {
	dir := t.TempDir()
	v := vault.Open(dir)
	alice, bob := of("alice", "", 1), of("bob", "", 1)
	a := seal(t, v, alice, "args", `{"secret":"of alice"}`)
	b := seal(t, v, bob, "args", `{"secret":"of bob"}`)
	if got, err := vault.Open(dir).Open(alice.ID, "args", a); err != nil || string(got) != `{"secret":"of alice"}` {
		t.Errorf("Open = %s, %v", got, err)
	}
	for what, err := range map[string]error{
		"another record": second(v.Open("c-other", "args", a)), "another field": second(v.Open(alice.ID, "result", a)),
		"a changed value": second(v.Open(alice.ID, "args", bytes.Replace(a, []byte(`"data":"`), []byte(`"data":"AA`), 1))),
		"no value":        second(v.Open(alice.ID, "args", []byte(`{"$sealed":"../../x"}`))),
	} {
		if err == nil {
			t.Errorf("%s was opened", what)
		}
	}
	if n, err := v.Erase("user:alice"); n != 1 || err != nil {
		t.Errorf("Erase = %d, %v", n, err)
	}
	if _, err := v.Open(alice.ID, "args", a); !errors.Is(err, vault.ErrErased) {
		t.Errorf("after the erasure: %v", err)
	}
	seal(t, v, alice, "args", `{"secret":"new"}`) // a new key
	if _, err := v.Open(alice.ID, "args", a); !errors.Is(err, vault.ErrErased) {
		t.Errorf("with a new key: %v", err)
	}
	if _, err := v.Open(bob.ID, "args", b); err != nil {
		t.Errorf("bob's value: %v", err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if info, _ := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 && path != dir {
			t.Errorf("%s is open to others", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestKeysExpireByClassAndMonth(t *testing.T) {
	v := vault.Open(t.TempDir())
	old, young, other := of("a", "short", 1), of("a", "short", 6), of("a", "long", 1)
	s := [][]byte{seal(t, v, old, "args", "1"), seal(t, v, young, "args", "2"), seal(t, v, other, "args", "3")}
	if n, err := v.Expire("short", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)); n != 1 || err != nil {
		t.Fatalf("Expire = %d, %v", n, err)
	}
	for i, r := range []*durward.Record{old, young, other} {
		if _, err := v.Open(r.ID, "args", s[i]); (err != nil) != (i == 0) {
			t.Errorf("value %d: %v", i, err)
		}
	}
}

// TestUnsealPutsValuesBackIntoTheirLines: in a line as the log has it.
func TestUnsealPutsValuesBackIntoTheirLines(t *testing.T) {
	v := vault.Open(t.TempDir())
	r := of(`al"ice`, "", 2)
	r.ID = `odd "id"`
	r.Args, r.Result = seal(t, v, r, "args", `{"text":"}\"secret"}`), seal(t, v, r, "result", `{"content":["secret"]}`)
	line := audit.AppendJSON(nil, r)
	got := string(v.Unseal(line))
	if !strings.Contains(got, `"args":{"text":"}\"secret"},`) || !strings.Contains(got, `"result":{"content":["secret"]},`) {
		t.Errorf("Unseal = %s", got)
	}
	if _, err := v.Erase("user:" + r.User); err != nil {
		t.Fatal(err)
	}
	if got := string(v.Unseal(line)); strings.Count(got, `{"$erased":true}`) != 2 {
		t.Errorf("Unseal after the erasure = %s", got)
	}
	plain := fmt.Appendf(nil, `{"seq":1,"id":"x","args":{"a":1}}`)
	if got := v.Unseal(plain); !bytes.Equal(got, plain) {
		t.Errorf("another line became %s", got)
	}
}
