package mcpwire_test

import (
	"bytes"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestFieldFindsTheTopOnly(t *testing.T) {
	obj := []byte(` { "a" : {"name":"inner"} , "n\u0061me" : "out\u0065r" , "s":"}{][\"" , "x":[{},[1,2]] } `)
	for key, want := range map[string]string{
		"a": `{"name":"inner"}`, "name": `"out\u0065r"`, "s": `"}{][\""`, "x": `[{},[1,2]]`,
	} {
		if v, ok := mcpwire.Field(obj, key); !ok || string(v) != want {
			t.Errorf("Field(%q) = %s, %v, want %s", key, v, ok, want)
		}
	}
	if v, ok := mcpwire.Field(obj, "inner"); ok {
		t.Errorf("Field(inner) = %s, want nothing", v)
	}
	if got, _ := mcpwire.FieldText(obj, "name"); got != "outer" {
		t.Errorf("FieldText(name) = %q, want outer", got)
	}
	if v, _ := mcpwire.Path(obj, "a", "name"); string(v) != `"inner"` {
		t.Errorf("Path(a, name) = %s", v)
	}
}

func TestPickFindsWhatFieldFinds(t *testing.T) {
	for _, obj := range []string{``, `{}`, `[1]`, ` {"a":1,"b":{"a":2},"c":[3]} `, `{"a":1,"a":2,"c":null}`, `{"\u0061":"x","b":"\"a\":7"}`, `{"b":1,"a"`} {
		keys := []string{"a", "b", "c"}
		values := make([][]byte, len(keys))
		mcpwire.Pick([]byte(obj), values, keys...)
		for k, key := range keys {
			if want, _ := mcpwire.Field([]byte(obj), key); !bytes.Equal(values[k], want) || (values[k] == nil) != (want == nil) {
				t.Errorf("Pick(%s) of %s = %q, Field says %q", obj, key, values[k], want)
			}
		}
	}
}

func TestFieldsAndElementsKeepOrder(t *testing.T) {
	var seen []string
	for k, v := range mcpwire.Fields([]byte(`{"b":1,"a":[true, null , "x,y"],"c":{}}`)) {
		seen = append(seen, k+"="+string(v))
		for e := range mcpwire.Elements(v) {
			seen = append(seen, string(e))
		}
	}
	if got, want := strings.Join(seen, " "), `b=1 a=[true, null , "x,y"] true null "x,y" c={}`; got != want {
		t.Errorf("order is %s, want %s", got, want)
	}
}

func TestAccessorsStayInBoundsOnGarbage(t *testing.T) {
	for _, v := range []string{``, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, `{"a":{`, `[`, `[1`, `[1,`, `"`, `"\`, `{"a":1,`, `{:`, `}{`, `{"a"::1}`} {
		_, _ = mcpwire.Field([]byte(v), "a")
		_, _ = mcpwire.Text([]byte(v))
		for range mcpwire.Elements([]byte(v)) {
			continue
		}
		for range mcpwire.Fields([]byte(v)) {
			continue
		}
		_ = mcpwire.SetField([]byte(v), "a", []byte("2"))
		_ = mcpwire.DropFields([]byte(v), "a")
	}
}

func TestQuoteAndTextAreInverse(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"b\\n\n\r\t\b\f\x00\x1f\x7f", "<>&\u2028", "日本語 😀"} {
		q := mcpwire.Quote(s)
		if err := mcpwire.Value(q, mcpwire.Limits{}); err != nil {
			t.Errorf("Quote(%q) = %s, which is no JSON: %v", s, q, err)
		}
		if got, ok := mcpwire.Text(q); !ok || got != s {
			t.Errorf("Text(Quote(%q)) = %q, %v", s, got, ok)
		}
	}
	if got := string(mcpwire.Quote("a\xffb\xc0")); got != "\"a\ufffdb\ufffd\"" {
		t.Errorf("Quote of invalid UTF-8 = %q, want replacement characters", got)
	}
	if got, _ := mcpwire.Text([]byte(`"\ud800x"`)); got != "\ufffdx" {
		t.Errorf("Text of a lone surrogate = %q, want a replacement character", got)
	}
	if string(mcpwire.Quote("<b>&")) != `"<b>&"` {
		t.Error("Quote escapes for HTML")
	}
}

func TestIDKeyTellsIDsApart(t *testing.T) {
	if mcpwire.IDKey([]byte(`"1"`)) == mcpwire.IDKey([]byte(`1`)) {
		t.Error(`the string "1" and the number 1 have the same key`)
	}
	if mcpwire.IDKey([]byte(`"a\u0062"`)) != mcpwire.IDKey([]byte(`"ab"`)) {
		t.Error("an escape makes an id another one")
	}
}

func TestInt(t *testing.T) {
	for v, want := range map[string]int64{`0`: 0, `-32602`: -32602, `9223372036854775807`: 1<<63 - 1} {
		if n, ok := mcpwire.Int([]byte(v)); !ok || n != want {
			t.Errorf("Int(%s) = %d, %v, want %d", v, n, ok, want)
		}
	}
	for _, v := range []string{`1.0`, `1e2`, `"1"`, `null`, `9223372036854775808`, ``} {
		if n, ok := mcpwire.Int([]byte(v)); ok {
			t.Errorf("Int(%s) = %d, want none", v, n)
		}
	}
}
