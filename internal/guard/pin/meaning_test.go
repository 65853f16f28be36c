package pin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"durward"
	"durward/internal/guard/pin"
)

// TestNumbers: the notation of a number does not count, its value does, in the
// arithmetic of RFC 8785 (IEEE 754 doubles).
func TestNumbers(t *testing.T) {
	tool := func(n string) string { return `{"name":"x","inputSchema":{"maximum":` + n + `}}` }
	for _, same := range [][]string{
		{"100", "1e2", "100.0", "1.0E+2", "10000e-2"}, {"0", "-0", "0.0", "0e5"}, {"0.1", "1e-1", "0.10"},
		{"9007199254740993", "9007199254740992"}, {"1e400x", "1e400x"},
	} {
		if strings.HasSuffix(same[0], "x") { // no number of JSON's that a double holds
			if _, err := pin.Of([]byte(tool("1e400"))); err == nil {
				t.Error("a number that no double holds has a pin")
			}
			continue
		}
		for _, n := range same[1:] {
			if digest(t, tool(n)) != digest(t, tool(same[0])) {
				t.Errorf("%s and %s differ", n, same[0])
			}
		}
	}
	seen := map[pin.Digest]string{}
	for _, n := range []string{"1", "2", "1.5", `"1"`, "true", "null", "[1]", "-1", "1e21", "1e-7", `{"a":1}`} {
		d := digest(t, tool(n))
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same pin", n, other)
		}
		seen[d] = n
	}
}

// FuzzMeaning writes one value in two ways and another value once: the two
// have one pin, the other has another.
func FuzzMeaning(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, "description")
	}
	f.Add(uint64(7), "\u200b")
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := object(r, 3, text)
		one, two := spell(r, v), spell(r, v)
		p, err := pin.Of(one)
		if err != nil {
			return // text is no UTF-8
		}
		if q, err := pin.Of(two); err != nil || q.Digest != p.Digest {
			t.Fatalf("%s\nand\n%s\nhave different pins (%v)", one, two, err)
		}
		other := mutate(r, v)
		if q, err := pin.Of(spell(r, other)); err == nil && q.Digest == p.Digest {
			t.Fatalf("%s\nand\n%s\nhave the same pin", one, spell(r, other))
		} else if err == nil && len(p.Changed(q)) == 0 {
			t.Fatalf("no group of %s and %s differs", one, spell(r, other))
		}
	})
}

type member struct {
	name  string
	value any
}

func object(r *rand.Rand, depth int, text string) []member {
	var out []member
	for i := range 1 + r.IntN(4) {
		out = append(out, member{fmt.Sprintf("k%d%s", i, strings.Repeat("é", r.IntN(2))), any1(r, depth-1, text)})
	}
	return out
}

func any1(r *rand.Rand, depth int, text string) any {
	switch n := r.IntN(6); {
	case depth <= 0 || n == 0:
		return text + strconv.Itoa(r.IntN(10))
	case n == 1:
		return float64(r.IntN(1000))
	case n == 2:
		return math.Round(r.Float64()*1e6) / 1e3
	case n == 3:
		return r.IntN(2) == 0
	case n == 4:
		return []any{any1(r, depth-1, text), any1(r, depth-1, text)}
	}
	return object(r, depth, text)
}

// spell writes a value with its members in any order and anything else that
// does not count.
func spell(r *rand.Rand, v any) []byte {
	var b bytes.Buffer
	blank := func() { b.WriteString([]string{"", " ", "\n\t"}[r.IntN(3)]) }
	switch v := v.(type) {
	case []member:
		order := slices.Clone(v)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		b.WriteByte('{')
		for i, m := range order {
			if i > 0 {
				b.WriteByte(',')
			}
			blank()
			b.Write(spell(r, m.name))
			blank()
			b.WriteByte(':')
			blank()
			b.Write(spell(r, m.value))
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			blank()
			b.Write(spell(r, e))
		}
		b.WriteByte(']')
	case string:
		quoted, _ := json.Marshal(v)
		if r.IntN(2) == 0 {
			quoted = []byte(strconv.QuoteToASCII(v))
			if !json.Valid(quoted) { // \x and \U are Go's
				quoted, _ = json.Marshal(v)
			}
		}
		b.Write(quoted)
	case float64:
		b.WriteString([]string{strconv.FormatFloat(v, 'g', -1, 64), strconv.FormatFloat(v, 'e', -1, 64), strconv.FormatFloat(v, 'f', -1, 64)}[r.IntN(3)])
	default:
		raw, _ := json.Marshal(v)
		b.Write(raw)
	}
	return b.Bytes()
}

// mutate changes one value, as little as may be.
func mutate(r *rand.Rand, v []member) []member {
	out := slices.Clone(v)
	i := r.IntN(len(out))
	switch x := out[i].value.(type) {
	case string:
		out[i].value = x + "\u200b"
	case float64:
		out[i].value = x + 1
	case bool:
		out[i].value = !x
	case []any:
		out[i].value = append(slices.Clone(x), "more")
	case []member:
		out[i].value = mutate(r, x)
	}
	return out
}

// FuzzLock: what is written is read back as it was, and written again as the
// same bytes; and nothing that hides is in it.
func FuzzLock(f *testing.F) {
	f.Add("crm", "add", `{"name":"add","description":"x\u200by \u202e"}`)
	f.Add("c", "\U000e0041", `{"a":[1,2,{"b":"\u00ad"}]}`)
	f.Fuzz(func(t *testing.T, upstream, name, definition string) {
		p, err := pin.Make(upstream, durward.PinTool, name, []byte(definition))
		if err != nil || durward.CheckUpstreamName(upstream) != nil || strings.ToValidUTF8(name, "") != name {
			return
		}
		text, err := pin.AppendLock(nil, []pin.Locked{{Pin: p}})
		if err != nil {
			t.Fatal(err)
		}
		back, err := pin.ParseLock(text)
		if err != nil || len(back) != 1 || back[0].Digest != p.Digest || back[0].Name != name || back[0].Withheld {
			t.Fatalf("ParseLock(%s) = %+v, %v", text, back, err)
		}
		again, err := pin.AppendLock(nil, back)
		if err != nil || !bytes.Equal(text, again) {
			t.Fatalf("written again:\n%s\nwas\n%s", again, text)
		}
		if strings.ContainsAny(string(text), "\u200b\u202e\u00ad\U000e0041") {
			t.Errorf("something hides in %q", text)
		}
	})
}

func TestLockRefuses(t *testing.T) {
	p, err := pin.Make("crm", durward.PinTool, "add", []byte(`{"name":"add"}`))
	if err != nil {
		t.Fatal(err)
	}
	good, err := pin.AppendLock(nil, []pin.Locked{{Pin: p}})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"another definition":  {`"name": "add"`, `"name": "sub"`},
		"another digest":      {`"digest": "sha256:`, `"digest": "sha256:0`},
		"another format":      {`"lock": 1`, `"lock": 2`},
		"a kind of its own":   {`"tool"`, `"gadget"`},
		"an upstream's name":  {`"crm"`, `"c__rm"`},
		"an unknown field":    {`"groups"`, `"extra": 1, "groups"`},
		"a key that is twice": {`"lock": 1`, `"lock": 1, "lock": 1`},
		"no JSON":             {`{`, ``},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if bad == string(good) {
			t.Fatalf("%s: nothing was changed in %s", what, good)
		}
		if _, err := pin.ParseLock([]byte(bad)); err == nil {
			t.Errorf("%s is taken: %s", what, bad)
		}
	}
}
