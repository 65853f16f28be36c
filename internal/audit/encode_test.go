package audit_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"durward"
	"durward/internal/audit"
)

// full returns a record with something in every field, so that a field that
// the encoder does not know is found.
func full(t *testing.T) durward.Record {
	t.Helper()
	var r durward.Record
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(time.Date(2026, 2, 3, 4, 5, 6, 7008000, time.UTC)))
		case json.RawMessage:
			f.SetBytes([]byte(`{"a":[1.0,12345678901234567890,"x\u0041"],"b":null}`))
		case []durward.Finding:
			f.Set(reflect.ValueOf([]durward.Finding{{Rule: "r", Vector: "v", Severity: "high", Score: 0.25, Where: "/a/0", Evidence: "e", Action: "observe", Would: "block"}, {Rule: "s"}}))
		default:
			fill(t, f, v.Type().Field(i).Name)
		}
	}
	r.Prev, r.Hash = "", "" // the log's
	return r
}

func fill(t *testing.T, f reflect.Value, name string) {
	t.Helper()
	switch {
	case f.CanInt():
		f.SetInt(int64(len(name)) * 1001)
	case f.CanUint():
		f.SetUint(uint64(len(name)) * 1003)
	case f.Kind() == reflect.String:
		f.SetString("of " + name)
	default:
		t.Fatalf("durward.Record.%s: teach the encoder and this test its type", name)
	}
}

// TestEncodesAsJSONTagsSay holds the encoder against encoding/json.
func TestEncodesAsJSONTagsSay(t *testing.T) {
	odd := typical()
	odd.Agent, odd.Tool, odd.Asked = `quote " back \ slash`, "tab\tline\nreturn\rnul\x00del\x7f", "ünïcödé 😀 <&> \u2028\u009b\u202e"
	odd.User = "broken \xff\xc3 utf-8"
	for name, r := range map[string]durward.Record{"typical": typical(), "full": full(t), "odd": odd, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			if r.Findings == nil {
				r.Findings = []durward.Finding{} // which is how the log writes none
			}
			want, err := json.Marshal(&r)
			if err != nil {
				t.Fatal(err)
			}
			got := audit.AppendJSON(nil, &r)
			if !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
				t.Errorf("AppendJSON = %s\nencoding/json: %s", got, want)
			}
		})
	}
}

func decoded(t *testing.T, b []byte) (v map[string]any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	at, err := time.Parse(time.RFC3339Nano, v["time"].(string))
	if err != nil {
		t.Fatal(err)
	}
	v["time"] = at
	return v
}

func TestTimeIsUTCInMicroseconds(t *testing.T) {
	r := typical()
	r.Time = time.Date(2026, 3, 1, 1, 2, 3, 4999, time.FixedZone("", 2*3600))
	if got := audit.AppendJSON(nil, &r); !bytes.Contains(got, []byte(`"time":"2026-02-28T23:02:03.000004Z"`)) {
		t.Errorf("AppendJSON = %s", got)
	}
}

// TestHostileRecord fills each field with what is longest and worst: the line
// must stay one line, JSON, UTF-8 and bounded.
func TestHostileRecord(t *testing.T) {
	worst := strings.Repeat("\x00\xff\n\u2028", 100_000)
	r := full(t)
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			f.SetString(worst)
		}
	}
	r.Findings = make([]durward.Finding, 1000)
	for i := range r.Findings {
		r.Findings[i] = durward.Finding{Rule: worst, Vector: worst, Severity: worst, Score: math.NaN(), Where: worst, Evidence: worst}
	}
	for name, args := range map[string]string{
		"none": "", "long": `"` + strings.Repeat("x", 1<<20) + `"`, "blanks": "{\n \"a\" :\r\n\t1 }",
		"no JSON": `1,"verdict":"allow"`, "no UTF-8": "\"\xff\"", "lines": "\n\n{}\n\n", "just fits": `"` + strings.Repeat("x", 64<<10-2) + `"`,
	} {
		r.Args = json.RawMessage(args)
		got := audit.AppendJSON(nil, &r)
		if !json.Valid(got) || !utf8.Valid(got) || bytes.ContainsAny(got, "\n\r\x00\u2028") || len(got) > 1<<20-400 {
			t.Errorf("%s: %d bytes: %.300s", name, len(got), got)
		}
	}
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	put(t, l, &r, audit.Durable)
	put(t, l, numbered(2), audit.Durable)
	shut(t, l)
	if rep := verify(t, dir); rep.Records != 2 {
		t.Errorf("Verify = %+v", rep)
	}
}

func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	for pad := range 4 {
		r := typical()
		r.Asked = strings.Repeat("a", pad) + strings.Repeat("😀", 1000)
		var back durward.Record
		if err := json.Unmarshal(audit.AppendJSON(nil, &r), &back); err != nil {
			t.Fatal(err)
		}
		kept, marker, ok := strings.Cut(back.Asked, "...[+")
		if !ok || !strings.HasPrefix(r.Asked, kept) || !strings.HasSuffix(marker, " bytes]") {
			t.Errorf("Asked is kept as %q", back.Asked)
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	r := typical()
	buf := audit.AppendJSON(nil, &r)
	if n := testing.AllocsPerRun(100, func() { buf = audit.AppendJSON(buf[:0], &r) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
