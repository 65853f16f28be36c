package mcpwire_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

// chaos writes messages that are nearly requests: routed keys in every
// spelling, in every order, twice or not at all.
type chaos struct {
	*rand.Rand
	b strings.Builder
}

func (c *chaos) pick(from ...string) string { return from[c.IntN(len(from))] }

func (c *chaos) object(n int, member func()) {
	c.b.WriteString(c.pick("{", "{ ", "{\n"))
	for i := range n {
		if i > 0 {
			c.b.WriteString(c.pick(",", ", "))
		}
		member()
	}
	c.b.WriteString(c.pick("}", " }"))
}

func (c *chaos) member(value func(), names ...string) func() {
	return func() {
		c.b.WriteString(`"` + c.pick(names...) + `"` + c.pick(":", " : "))
		value()
	}
}

func (c *chaos) value() {
	c.b.WriteString(c.pick(`1`, `"a"`, `"\u0061"`, `null`, `{}`, `[]`, `{"name":"x"}`, `[{"method":"y"}]`, `-0`, `1.50`, `"é"`, `"\ud83d\ude00"`))
}

func (c *chaos) params() {
	c.object(c.IntN(4), c.member(c.value, "name", "name", "name", "uri", "arguments", "_meta", "Name", `n\u0061me`, `\u004eame`, "NAME", "ur\u0131", "urİ", "x", "argumentſ"))
}

func (c *chaos) message() string {
	c.b.Reset()
	part := []func(){
		c.member(func() { c.b.WriteString(c.pick(`"2.0"`, `"2.0"`, `"\u0032.0"`, `2.0`)) }, "jsonrpc", "jsonrpc", "jsonrpc", "JSONRPC", `json\u0072pc`),
		c.member(func() { c.b.WriteString(c.pick(`1`, `1`, `"i"`, `null`, `1.0`)) }, "id", "id", "Id", `\u0069d`),
		c.member(func() { c.b.WriteString(c.pick(`"m"`, `"\u006d"`, `7`)) }, "method", "method", "method", "Method", `meth\u006fd`),
		c.member(c.params, "params", "params", "params", "Params", `p\u0061rams`, "paramſ"),
		c.member(c.value, "x", "extra", "id", "method", "params"),
	}
	c.Shuffle(4, func(i, j int) { part[i], part[j] = part[j], part[i] })
	next := 0
	c.object(3+c.IntN(3), func() {
		part[next]()
		next++
	})
	return c.b.String()
}

// A parser that ignores case and takes the last of equal keys must read every
// accepted request as we do: otherwise what is decided is not what is done.
func TestAcceptedRequestsMeanTheSameToALaxParser(t *testing.T) {
	c := &chaos{Rand: rand.New(rand.NewPCG(1, 2))}
	accepted := 0
	for range 200_000 {
		raw := c.message()
		m, err := mcpwire.Scan([]byte(raw), mcpwire.Limits{})
		if err != nil || m.Kind == mcpwire.Response {
			continue
		}
		p, err := m.Payload()
		if err != nil {
			continue
		}
		accepted++
		var o foreign
		if err := json.Unmarshal([]byte(raw), &o); err != nil {
			t.Fatalf("encoding/json cannot read %s: %v", raw, err)
		}
		same(t, []byte(raw), "method", m.Method, &o.Method)
		same(t, []byte(raw), "name", text(p.Name.Of(p.Raw)), o.Params.Name)
		same(t, []byte(raw), "uri", text(p.URI.Of(p.Raw)), o.Params.URI)
		if string(p.Arguments.Of(p.Raw)) != string(o.Params.Arguments) || string(p.Meta.Of(p.Raw)) != string(o.Params.Meta) {
			t.Fatalf("arguments or _meta of %s differ", raw)
		}
		if o.JSONRPC != "2.0" || (o.ID != nil) != (m.Kind == mcpwire.Request) {
			t.Fatalf("envelope of %s differs", raw)
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d messages were accepted: the test has lost its point", accepted)
	}
}
