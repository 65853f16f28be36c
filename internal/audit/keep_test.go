package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"durward"
	"durward/internal/audit"
	"durward/internal/mcpwire"
)

func TestKeep(t *testing.T) {
	const args = `{"to": "a@example.com", "n": 1.0, "deep":[true,null,"x\"y",{"k":""}]}`
	const canonical = `{"deep":[true,null,"x\"y",{"k":""}],"n":1,"to":"a@example.com"}`
	for _, c := range []struct {
		keep         audit.Keep
		digest, args string
	}{
		{audit.KeepOff, "", ""},
		{audit.KeepDefault, hashOf(canonical), ""},
		{audit.KeepDigest, hashOf(canonical), ""},
		{audit.KeepRedacted, hashOf(canonical), `{"to":"[string 13]","n":1.0,"deep":[true,null,"[string 3]",{"k":"[string 0]"}]}`},
		{audit.KeepFull, hashOf(canonical), `{"to":"a@example.com","n":1.0,"deep":[true,null,"x\"y",{"k":""}]}`},
		{"unheard of", hashOf(canonical), ""},
	} {
		r := durward.Record{ArgsSHA256: "old", Args: json.RawMessage("1")}
		if err := c.keep.Fill(&r, []byte(args), mcpwire.AppendCanonical); err != nil {
			t.Errorf("%q.Fill: %v", c.keep, err)
		}
		if r.ArgsSHA256 != c.digest || string(r.Args) != c.args {
			t.Errorf("%q keeps %s %s, want %s %s", c.keep, r.ArgsSHA256, r.Args, c.digest, c.args)
		}
		if known := c.keep != "unheard of"; (c.keep.Valid() == nil) != known {
			t.Errorf("%q.Valid() = %v", c.keep, c.keep.Valid())
		}
	}
}

func TestKeepWithoutArguments(t *testing.T) {
	var r durward.Record
	if err := audit.KeepFull.Fill(&r, nil, mcpwire.AppendCanonical); err != nil || r.ArgsSHA256 != "" || r.Args != nil {
		t.Errorf("Fill(nil) = %v, %+v", err, r)
	}
}

func TestKeepReportsArgumentsWithoutCanonicalForm(t *testing.T) {
	broken := errors.New("number beyond a double")
	var r durward.Record
	err := audit.KeepFull.Fill(&r, []byte(`1e999`), func(_, _ []byte) ([]byte, error) { return nil, broken })
	sum := sha256.Sum256([]byte(`1e999`))
	if !errors.Is(err, broken) || r.ArgsSHA256 != hex.EncodeToString(sum[:]) || string(r.Args) != `1e999` {
		t.Errorf("Fill = %v, %+v; want the digest of the bytes as they came, and the bytes", err, r)
	}
}

func TestKeepIsBounded(t *testing.T) {
	long := []byte(`{"text":"` + strings.Repeat("x", 100_000) + `"}`)
	wide := []byte(`[` + strings.Repeat(`"",`, 30_000) + `1]`) // grows when redacted
	for name, c := range map[string]struct {
		keep audit.Keep
		args []byte
		cut  bool
	}{
		"full, long": {audit.KeepFull, long, true}, "redacted, long": {audit.KeepRedacted, long, false},
		"redacted, wide": {audit.KeepRedacted, wide, true},
	} {
		var r durward.Record
		if err := c.keep.Fill(&r, c.args, mcpwire.AppendCanonical); err != nil {
			t.Fatal(err)
		}
		cut := bytes.HasPrefix(r.Args, []byte(`"[too long to be kept: `))
		if cut != c.cut || len(r.Args) > 64<<10 || r.ArgsSHA256 == "" {
			t.Errorf("%s: kept %.80s", name, r.Args)
		}
	}
}

func TestRedactCountsCharacters(t *testing.T) {
	for in, want := range map[string]string{
		`"ab"`: `"[string 2]"`, `"ä€😀"`: `"[string 3]"`, `"\u00e4\n\\\""`: `"[string 4]"`,
		`"\ud83d\ude00"`: `"[string 1]"`, `"\ud83d!"`: `"[string 2]"`, `{"a b" : "c"}`: `{"a b":"[string 1]"}`,
		` "x" `: `"[string 1]"`, `-1.50e+3`: `-1.50e+3`, `bare`: "", "\"\xff\"": "", `{"a":"b`: "",
	} {
		got := string(audit.Redact([]byte(in)))
		if want == "" && strings.HasPrefix(got, `"[no JSON: `) {
			continue
		}
		if got != want {
			t.Errorf("Redact(%s) = %s, want %s", in, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"a":["b\u0041",1,{"c d":"e"}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := audit.Redact(in)
		if !json.Valid(out) {
			t.Fatalf("Redact(%q) = %q, which is no JSON", in, out)
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("Redact(%q) = %q: %v", in, out, err)
		}
		noText(t, v)
	})
}

// noText fails when a text was left in v.
func noText(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		if !strings.HasPrefix(v, "[string ") && !strings.HasPrefix(v, "[no JSON: ") && !strings.HasPrefix(v, "[too long to be kept: ") {
			t.Fatalf("%q was left", v)
		}
	case []any:
		for _, e := range v {
			noText(t, e)
		}
	case map[string]any:
		for _, e := range v {
			noText(t, e)
		}
	}
}
