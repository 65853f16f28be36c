package mcpwire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"durward/internal/mcpwire"
)

// object makes an object of n keys; the key at escaped is written with an escape.
func object(n, escaped int, more string) string {
	var b strings.Builder
	for i := range n {
		key := fmt.Sprintf("key-%d", i)
		if i == escaped {
			key = `\u006b` + key[1:]
		}
		fmt.Fprintf(&b, `"%s":%d,`, key, i)
	}
	return `{` + strings.TrimSuffix(b.String()+more, ",") + `}`
}

func TestDuplicatesAreFoundInObjectsOfAnySize(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 47, 48, 49, 1000, 50_000} {
		for _, escaped := range []int{-1, 0, n - 1} {
			if err := mcpwire.Value([]byte(object(n, escaped, "")), mcpwire.Limits{}); err != nil {
				t.Errorf("%d different keys are refused: %v", n, err)
			}
			for _, again := range []int{0, n / 2, n - 1} {
				raw := object(n, escaped, fmt.Sprintf(`"key-%d":0`, again))
				var e *mcpwire.ScanError
				if err := mcpwire.Value([]byte(raw), mcpwire.Limits{}); !errors.As(err, &e) || !strings.Contains(e.Reason, fmt.Sprintf("key-%d", again)) {
					t.Errorf("key %d of %d twice gives %v, want a refusal that names it", again, n, err)
				}
			}
		}
	}
}

func TestObjectsHaveABoundedNumberOfKeys(t *testing.T) {
	if err := mcpwire.Value([]byte(object(1<<16, -1, "")), mcpwire.Limits{}); err != nil {
		t.Errorf("65,536 keys are refused: %v", err)
	}
	if err := mcpwire.Value([]byte(object(1<<16+1, -1, "")), mcpwire.Limits{}); err == nil {
		t.Error("65,537 keys are accepted")
	}
}

func TestNestedObjectsDoNotSeeEachOthersKeys(t *testing.T) {
	raw := `{"k":` + strings.Repeat(`{"k":{"a":1},"b":[{"k":1},{"k":1}],"l":`, 20) + object(40, 3, "") + strings.Repeat(`,"m":{"k":1}}`, 20) + `,"l":1}`
	if err := mcpwire.Value([]byte(raw), mcpwire.Limits{}); err != nil {
		t.Errorf("keys of other objects count as duplicates: %v", err)
	}
	if err := mcpwire.Value([]byte(strings.Replace(raw, `,"m":{"k":1}}`, `,"m":{"k":1},"k":2}`, 1)), mcpwire.Limits{}); err == nil {
		t.Error("a key of an outer object is forgotten while its values are read")
	}
}

func TestValueIsStrictAtEveryDepth(t *testing.T) {
	for v, ok := range map[string]bool{
		`null`: true, ` [1, "a", {}] `: true, `"\ud83d\ude00"`: true, `-0.0e+10`: true, `1e999`: true,
		`[{"a":1,"a":1}]`: false, `{"a":{"b":1,"\u0062":2}}`: false, `"\ud83d"`: false, `[1,]`: false, ``: false, `1 2`: false, `01`: false,
		`[1`: false, `{"a"}`: false, `{1:2}`: false, "\"\x7f\"": true, "\"\x1f\"": false, `.5`: false, `1.e5`: false, `-`: false, `truex`: false,
	} {
		if err := mcpwire.Value([]byte(v), mcpwire.Limits{}); (err == nil) != ok {
			t.Errorf("Value(%s) = %v, want ok %v", v, err, ok)
		}
	}
	if err := mcpwire.Value([]byte(deep(64)), mcpwire.Limits{}); err != nil {
		t.Errorf("64 levels are refused: %v", err)
	}
	if err := mcpwire.Value([]byte(deep(65)), mcpwire.Limits{}); err == nil {
		t.Error("65 levels are accepted")
	}
	if err := mcpwire.Value([]byte(strings.Repeat("[", 1<<20)), mcpwire.Limits{Depth: 1 << 30}); err == nil {
		t.Error("a million levels are accepted")
	}
}

func TestUTF8IsJudgedAsTheStandardLibraryDoes(t *testing.T) {
	edges := []byte{'"', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}
	for a := 0x80; a <= 0xff; a++ {
		for b := 0x7f; b <= 0xc0; b++ {
			for _, c := range edges {
				for _, d := range edges {
					text := []byte{'"', byte(a), byte(b), c, d, '"'}
					if c == '"' || d == '"' {
						text = append(text[:3:3], '"')
					}
					if err := mcpwire.Value(text, mcpwire.Limits{}); (err == nil) != utf8.Valid(text) {
						t.Fatalf("Value(% x) = %v, utf8.Valid %v", text, err, utf8.Valid(text))
					}
				}
			}
		}
	}
}

func TestScanBatch(t *testing.T) {
	const a, b = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`, `{"jsonrpc":"2.0","method":"n"}`
	ms, err := mcpwire.ScanBatch([]byte(" [ "+a+" , "+b+" ] "), mcpwire.Limits{}, 2)
	if err != nil || len(ms) != 2 || string(ms[0].Raw) != a || string(ms[1].Raw) != b {
		t.Fatalf("ScanBatch = %v, %v", ms, err)
	}
	if p, _ := ms[0].Payload(); string(p.Name.Of(p.Raw)) != `"a"` {
		t.Errorf("the payload of the first message has name %s", p.Name.Of(p.Raw))
	}
	if ms[1].Kind != mcpwire.Notification || ms[1].ID != nil || ms[1].Params != nil {
		t.Errorf("the second message has something of the first: %+v", ms[1])
	}
	for name, raw := range map[string]string{
		"too many": "[" + a + "," + a + "," + a + "]", "empty": "[]", "not an array": a, "a trailing comma": "[" + a + ",]", "unfinished": "[" + a, "more behind": "[" + a + "]x",
	} {
		ms, err := mcpwire.ScanBatch([]byte(raw), mcpwire.Limits{}, 2)
		var refusal *mcpwire.ScanError
		if !errors.As(err, &refusal) || refusal.ID != nil {
			t.Errorf("%s: ScanBatch = %v, %v; want a refusal that answers no message in particular", name, ms, err)
		}
	}
	for name, test := range map[string]struct{ bad, id string }{
		"neither request nor response": {`{"id":7}`, "7"}, "no object": {"5", ""}, "nested": {"[" + a + "]", ""},
		"the same key twice": {`{"jsonrpc":"2.0","id":8,"method":"a","method":"b"}`, "8"},
		"two ids":            {`{"jsonrpc":"2.0","id":8,"id":9,"method":"a"}`, ""},
		"another version":    {`{"jsonrpc":"1.0","method":"a"}`, ""},
	} {
		for _, raw := range []string{"[" + test.bad + "," + a + "]", "[" + a + "," + test.bad + "]"} {
			ms, err := mcpwire.ScanBatch([]byte(raw), mcpwire.Limits{}, 2)
			if err != nil || len(ms) != 2 {
				t.Errorf("%s: ScanBatch = %v, %v; want both", name, ms, err)
				continue
			}
			good, bad := ms[0], ms[1]
			if good.Fault != nil {
				good, bad = bad, good
			}
			if good.Fault != nil || string(good.Raw) != a || string(good.ID) != "1" {
				t.Errorf("%s: beside it there is %+v, want the good message", name, good)
			}
			if bad.Fault == nil || string(bad.ID) != test.id || string(bad.Fault.ID) != test.id || string(bad.Raw) != test.bad || bad.Kind != 0 {
				t.Errorf("%s: is read as %+v, want a fault with id %q", name, bad, test.id)
			}
		}
	}
	if !mcpwire.IsBatch([]byte("\n [")) || mcpwire.IsBatch([]byte(a)) || mcpwire.IsBatch(nil) {
		t.Error("IsBatch cannot tell an array from an object")
	}
}

func TestScanErrorSaysWhatToAnswer(t *testing.T) {
	_, err := mcpwire.Scan([]byte(`{"jsonrpc":"2.0","id":5,"method":"x","params":[]}`), mcpwire.Limits{})
	var e *mcpwire.ScanError
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	got := mcpwire.AppendError(nil, e.ID, e.RPC())
	if want := `{"jsonrpc":"2.0","id":5,"error":{"code":-32602,"message":"Invalid params: params is not an object (byte 46)"}}`; string(got) != want {
		t.Errorf("answer is %s, want %s", got, want)
	}
}
