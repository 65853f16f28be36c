package mcpwire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"durward"
	"durward/internal/mcpwire"
)

// seeds are messages and values that touch every branch of the scanner.
func seeds(f *testing.F) {
	f.Helper()
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `"x"`, `-0.5e+3`, `{"a":[1,{"b":"\ud83d\ude00"}],"c":true}`, `{"a":1,"\u0061":2}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":[1.0,2]},"_meta":{"progressToken":"p"}}}`,
		`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"a","Name":"b"}}`,
		`{"jsonrpc":"2.0","id":9007199254740993,"result":{"content":[{"type":"text","text":"\ud83d"}]}}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}`,
		`{"jsonrpc":"2.0","method":"n","params":{"uri":"u","cursor":"","ref":{"type":"t"}}}`,
		"{\"\xff\":1}", "\ufeff{}", `{"jsonrpc":"2.0","id":01,"method":"x"}`, strings.Repeat("[", 70), object(20, 3, ""), object(70, 3, ""),
		`{"b":1,"a":{"z":1,"y":[{"k":1,"j":2}]},"\u0022":0}`, "\"long text that is more than thirty-two bytes\\n and goes on, ünïcode too\"",
	} {
		f.Add([]byte(s))
	}
}

// foreign is what the laxest parser behind us reads of a request: encoding/json
// ignores case and takes the last of equal keys.
type foreign struct {
	JSONRPC string           `json:"jsonrpc"`
	ID      *json.RawMessage `json:"id"`
	Method  string           `json:"method"`
	Params  struct {
		Name      *string         `json:"name"`
		URI       *string         `json:"uri"`
		Arguments json.RawMessage `json:"arguments"`
		Meta      json.RawMessage `json:"_meta"`
	} `json:"params"`
}

// FuzzScan: what is accepted is valid for encoding/json as well and means the
// same to it; what is refused as unreadable is not valid; nothing panics, and
// no slice lies outside of the input.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := mcpwire.Scan(raw, mcpwire.Limits{})
		if err != nil {
			checkRefusal(t, raw, err)
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Fatalf("accepted %q, which is not valid", raw)
		}
		for _, part := range [][]byte{m.Raw, m.ID, m.Params, m.Result, m.Error} {
			if part != nil && (!within(raw, part) || !json.Valid(part)) {
				t.Fatalf("part %q of %q is not within or not valid", part, raw)
			}
		}
		if m.Kind == mcpwire.Response {
			return
		}
		p, err := m.Payload()
		if err != nil {
			return
		}
		var o foreign
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatalf("encoding/json cannot read %q: %v", raw, err)
		}
		same(t, raw, "method", m.Method, &o.Method)
		same(t, raw, "name", text(p.Name.Of(p.Raw)), o.Params.Name)
		same(t, raw, "uri", text(p.URI.Of(p.Raw)), o.Params.URI)
		if got := p.Arguments.Of(p.Raw); !bytes.Equal(got, o.Params.Arguments) {
			t.Fatalf("arguments of %q are %q here and %q there", raw, got, o.Params.Arguments)
		}
		if got := p.Meta.Of(p.Raw); !bytes.Equal(got, o.Params.Meta) {
			t.Fatalf("_meta of %q is %q here and %q there", raw, got, o.Params.Meta)
		}
		if (o.ID != nil) != (m.Kind == mcpwire.Request) || (o.ID != nil && !bytes.Equal(*o.ID, m.ID)) {
			t.Fatalf("id of %q is %q here, another there", raw, m.ID)
		}
	})
}

func checkRefusal(t *testing.T, raw []byte, err error) {
	t.Helper()
	var e *mcpwire.ScanError
	if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(raw) {
		t.Fatalf("refusal of %q is %v", raw, err)
	}
	if e.RPCCode == mcpwire.CodeParse && json.Valid(raw) && utf8.Valid(raw) {
		t.Fatalf("%q is valid, but refused: %v", raw, err)
	}
	if e.ID != nil && !within(raw, e.ID) {
		t.Fatalf("id %q is not within %q", e.ID, raw)
	}
}

func same(t *testing.T, raw []byte, what, here string, there *string) {
	t.Helper()
	if there == nil && here == "" {
		return
	}
	if there == nil || here != *there {
		t.Fatalf("%s of %q is %q here, another there", what, raw, here)
	}
}

func text(v []byte) string {
	s, _ := mcpwire.Text(v)
	return s
}

// within reports whether part shares memory with whole.
func within(whole, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	for i := range whole {
		if &whole[i] == &part[0] {
			return i+len(part) <= len(whole)
		}
	}
	return false
}

// FuzzValue: the verdict on a value agrees with encoding/json up to what only
// we refuse.
func FuzzValue(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := mcpwire.Value(raw, mcpwire.Limits{})
		if err != nil {
			checkRefusal(t, raw, err)
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Fatalf("accepted %q, which is not valid", raw)
		}
		if dup, err := duplicates(json.NewDecoder(bytes.NewReader(raw))); dup || err != nil {
			t.Fatalf("accepted %q, which has duplicate keys, or %v", raw, err)
		}
	})
}

// duplicates looks for duplicate keys with a parser that is not ours.
func duplicates(d *json.Decoder) (bool, error) {
	d.UseNumber()
	var walk func() (bool, error)
	walk = func() (bool, error) {
		tok, err := d.Token()
		if err != nil {
			return false, err
		}
		open, ok := tok.(json.Delim)
		if !ok {
			return false, nil
		}
		seen := map[string]bool{}
		found := false
		for d.More() {
			if open == '{' {
				key, err := d.Token()
				if err != nil {
					return found, err
				}
				found = found || seen[key.(string)]
				seen[key.(string)] = true
			}
			dup, err := walk()
			if err != nil {
				return found, err
			}
			found = found || dup
		}
		_, err = d.Token()
		return found, err
	}
	return walk()
}

// FuzzReadPayload: params read alone and in a message give the same payload.
func FuzzReadPayload(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"name":"a","uri":"b","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`))
	f.Fuzz(func(t *testing.T, params []byte) {
		alone, errAlone := mcpwire.ReadPayload(params)
		m, err := mcpwire.Scan(mcpwire.AppendRequest(nil, []byte("1"), "x", params), mcpwire.Limits{Bytes: 1 << 30})
		if err != nil || params == nil {
			return
		}
		inside, errInside := m.Payload()
		if (errAlone == nil) != (errInside == nil) {
			t.Fatalf("params %q: %v alone, %v in a message", params, errAlone, errInside)
		}
		lead := len(params) - len(bytes.TrimLeft(params, " \t\r\n"))
		for _, s := range [][2]durward.Span{{alone.Name, inside.Name}, {alone.URI, inside.URI}, {alone.Meta, inside.Meta}, {alone.Arguments, inside.Arguments}, {alone.Ref, inside.Ref}} {
			if s[0].Present() {
				s[0].Start, s[0].End = s[0].Start-lead, s[0].End-lead
			}
			if s[0] != s[1] {
				t.Fatalf("params %q: span %v alone, %v in a message", params, s[0], s[1])
			}
		}
		_, _ = mcpwire.ReadMeta(inside)
	})
}

// FuzzCanonical: the canonical form is valid, means the same as the value, and
// is its own canonical form.
func FuzzCanonical(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := mcpwire.AppendCanonical(nil, raw)
		if mcpwire.Value(raw, mcpwire.Limits{Bytes: 1 << 30}) != nil {
			return
		}
		if same, failed := mcpwire.Canonical(nil, raw); (failed == nil) != (err == nil) || !bytes.Equal(same, out) {
			t.Fatalf("Canonical(%q) = %q, %v; AppendCanonical says %q, %v", raw, same, failed, out, err)
		}
		if err != nil {
			return
		}
		if err := mcpwire.Value(out, mcpwire.Limits{Bytes: 1 << 30}); err != nil {
			t.Fatalf("canonical form %q of %q is refused: %v", out, raw, err)
		}
		var before, after any
		if err := json.Unmarshal(raw, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &after); err != nil || !reflect.DeepEqual(zero(before), zero(after)) {
			t.Fatalf("canonical form %q of %q means something else: %v", out, raw, err)
		}
		if again, err := mcpwire.AppendCanonical(nil, out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("canonical form of %q is %q: %v", out, again, err)
		}
	})
}

// zero makes negative zeros positive, as the canonical form does.
func zero(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0
	case []any:
		for i := range v {
			v[i] = zero(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = zero(v[k])
		}
	}
	return v
}

// FuzzSplice: edits of an object do what a map would do, and leave the rest.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"a":2}, "c" : [1] }`), "a", `"new"`, uint8(1), uint8(3))
	f.Add([]byte(`{}`), "", `{}`, uint8(0), uint8(9))
	f.Add([]byte(`{ "\u0061" :1}`), "a", `null`, uint8(5), uint8(1))
	f.Fuzz(func(t *testing.T, obj []byte, key, value string, from, size uint8) {
		start := min(int(from)+1, len(obj))
		end := min(start+int(size), len(obj))
		want := string(obj[:start]) + value + string(obj[end:])
		if got := mcpwire.Splice(obj, mcpwire.Edit{Span: durward.Span{Start: start, End: end}, New: []byte(value)}); end > 0 && string(got) != want {
			t.Fatalf("Splice(%q, %d:%d, %q) = %q", obj, start, end, value, got)
		}
		if mcpwire.Value(obj, mcpwire.Limits{}) != nil || mcpwire.Value([]byte(value), mcpwire.Limits{}) != nil || !mcpwire.IsObject(obj) || !utf8.ValidString(key) {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(obj, &m); err != nil {
			t.Fatal(err)
		}
		set := mcpwire.SetField(obj, key, []byte(value))
		dropped := mcpwire.DropFields(set, key)
		delete(m, key)
		members(t, dropped, m)
		m[key] = json.RawMessage(strings.TrimSpace(value))
		members(t, set, m)
	})
}

func members(t *testing.T, obj []byte, want map[string]json.RawMessage) {
	t.Helper()
	if err := mcpwire.Value(obj, mcpwire.Limits{Bytes: 1 << 30, Depth: 128}); err != nil {
		t.Fatalf("%q is refused: %v", obj, err)
	}
	n := 0
	for k, v := range mcpwire.Fields(obj) {
		n++
		if w, ok := want[k]; !ok || !bytes.Equal(v, w) {
			t.Fatalf("%q has %q = %q, want %q", obj, k, v, w)
		}
	}
	if n != len(want) {
		t.Fatalf("%q has %d members, want %d", obj, n, len(want))
	}
}

// FuzzHeaderValue: any text survives a header, and only printable ASCII travels.
func FuzzHeaderValue(f *testing.F) {
	for _, s := range []string{"", "plain", " padded", "ünïcode", "=?base64?eA==?=", "a\r\nb", "=?base64??="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := mcpwire.DecodeHeader(s); err == nil && !utf8.ValidString(v) {
			t.Fatalf("DecodeHeader(%q) = %q, which is not UTF-8", s, v)
		}
		h := mcpwire.EncodeHeader(s)
		for _, c := range []byte(h) {
			if c < ' ' || c > '~' {
				t.Fatalf("EncodeHeader(%q) = %q, which cannot travel", s, h)
			}
		}
		if got, err := mcpwire.DecodeHeader(h); utf8.ValidString(s) && (err != nil || got != s) {
			t.Fatalf("%q comes back as %q, %v", s, got, err)
		}
	})
}

// FuzzParamHeaders: whatever a schema says, what comes out can be sent and
// leads through properties to the annotation.
func FuzzParamHeaders(f *testing.F) {
	f.Add([]byte(schema))
	f.Add([]byte(`{"properties":{"a":{"oneOf":[{"x-mcp-header":"A"}]}},"items":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		headers, err := mcpwire.ParamHeaders(raw)
		if err != nil || mcpwire.Value(raw, mcpwire.Limits{}) != nil {
			return
		}
		for _, h := range headers {
			at := make([]string, 0, 2*len(h.Path)+1)
			for _, step := range h.Path {
				at = append(at, "properties", step)
			}
			if v, ok := mcpwire.Path(raw, append(at, "x-mcp-header")...); !ok || !mcpwire.IsText(v, h.Header) {
				t.Fatalf("%q has no %q at %v", raw, h.Header, h.Path)
			}
		}
	})
}

// FuzzEventReader: how a stream is cut into reads makes no difference, events
// are bounded, and what we write we read back.
func FuzzEventReader(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "id: 1\nevent: x\nretry: 5\ndata: a\ndata: b\r\n\r\n", ":\n\rdata\r\r", "\ufeffdata:a\n\n", strings.Repeat("data: x\n", 90)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 500
		whole, errWhole := events(bytes.NewReader(stream), limit)
		bytewise, errBytewise := events(iotest.OneByteReader(bytes.NewReader(stream)), limit)
		if errWhole == nil || errBytewise == nil {
			t.Fatal("a stream ended without an error")
		}
		if errors.Is(errWhole, io.EOF) && errors.Is(errBytewise, io.EOF) && !reflect.DeepEqual(whole, bytewise) {
			t.Fatalf("%q gives %q at once and %q byte by byte", stream, whole, bytewise)
		}
		if mcpwire.Value(stream, mcpwire.Limits{}) != nil {
			return
		}
		r := mcpwire.NewEventReader(bytes.NewReader(mcpwire.AppendEvent(nil, mcpwire.Event{Event: "message", Data: stream})), 1<<30)
		e, err := r.Next()
		if err != nil || canonicalOf(e.Data) != canonicalOf(stream) {
			t.Fatalf("%q comes back as %q, %v", stream, e.Data, err)
		}
	})
}

func canonicalOf(v []byte) string {
	out, err := mcpwire.AppendCanonical(nil, v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}
