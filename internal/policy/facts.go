package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"durward"
	"durward/internal/mcpwire"
)

// activation answers CEL's questions from the facts of a call, one at a time:
// what a condition does not name costs nothing.
type activation Facts

// Parent implements interpreter.Activation.
func (*activation) Parent() interpreter.Activation { return nil }

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "agent.name":
		return types.String(a.Agent.Name), true
	case "agent.roles":
		return a.Agent.Roles, true
	case "agent.owner":
		return types.String(a.Agent.Owner), true
	case "agent.anonymous":
		return types.Bool(a.Agent.Anonymous), true
	case "key":
		return types.String(a.Key), true
	case "user":
		return types.String(a.User), true
	case "session":
		return types.String(a.Session), true
	case "method":
		return types.String(a.Method), true
	case "args":
		return object{raw: a.Args}, true
	case "labels":
		return a.Labels, true
	case "now":
		return types.Timestamp{Time: a.Now.UTC()}, true
	case "source":
		return types.String(host(a.Source)), true
	}
	return a.tool(name)
}

// tool are the attributes of the operation. What its definition leaves unsaid
// is what MCP says it is then: destructive, not idempotent, of the open world.
func (a *activation) tool(name string) (any, bool) {
	op := a.Op
	switch name {
	case "tool.name":
		return types.String(op.Name), true
	case "tool.upstream":
		return types.String(op.Upstream), true
	case "tool.kind":
		return types.String(op.Kind.String()), true
	case "tool.read_only":
		return types.Bool(op.ReadOnly), true
	case "tool.destructive":
		return types.Bool(!op.ReadOnly && op.Destructive.Or(true)), true
	case "tool.idempotent":
		return types.Bool(op.ReadOnly || op.Idempotent.Or(false)), true
	case "tool.open_world":
		return types.Bool(op.OpenWorld.Or(op.Kind == durward.KindTool)), true
	}
	return nil, false
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// object is a JSON object as CEL sees it. Members are read when they are asked
// for; only what needs the whole (a comprehension, a comparison) decodes it.
type object struct{ raw []byte }

var _ traits.Mapper = object{}

func (o object) whole() traits.Mapper {
	m := map[string]any{}
	if o.raw != nil {
		d := json.NewDecoder(bytes.NewReader(o.raw))
		d.UseNumber()
		if d.Decode(&m) != nil {
			m = map[string]any{}
		}
	}
	for k, v := range m {
		m[k] = plain(v)
	}
	return types.NewStringInterfaceMap(types.DefaultTypeAdapter, m)
}

// plain turns decoded numbers into what CEL calculates with.
func plain(v any) any {
	switch x := v.(type) {
	case json.Number:
		n, err := number([]byte(x))
		if err != nil {
			return x.String()
		}
		return n
	case map[string]any:
		for k, e := range x {
			x[k] = plain(e)
		}
	case []any:
		for i, e := range x {
			x[i] = plain(e)
		}
	}
	return v
}

func number(raw []byte) (ref.Val, error) {
	if !bytes.ContainsAny(raw, ".eE") {
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return types.Int(n), nil
		}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", raw)
	}
	return types.Double(f), nil
}

// value is one JSON value for CEL.
func value(raw []byte) ref.Val {
	switch raw[0] {
	case '"':
		text, _ := mcpwire.Text(raw)
		return types.String(text)
	case '{':
		return object{raw: raw}
	case '[':
		var list []any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&list); err != nil {
			return types.WrapErr(err)
		}
		for i := range list {
			list[i] = plain(list[i])
		}
		return types.NewDynamicList(types.DefaultTypeAdapter, list)
	case 't':
		return types.True
	case 'f':
		return types.False
	case 'n':
		return types.NullValue
	}
	n, err := number(raw)
	if err != nil {
		return types.WrapErr(err)
	}
	return n
}

// Find implements traits.Mapper.
func (o object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok || o.raw == nil {
		return nil, false
	}
	raw, ok := mcpwire.Field(o.raw, string(name))
	if !ok {
		return nil, false
	}
	return value(raw), true
}

// Get implements traits.Indexer.
func (o object) Get(key ref.Val) ref.Val {
	v, ok := o.Find(key)
	if !ok {
		return types.NewErr("no such key: %v", key)
	}
	return v
}

// Contains implements traits.Container.
func (o object) Contains(key ref.Val) ref.Val {
	_, ok := o.Find(key)
	return types.Bool(ok)
}

// Size implements traits.Sizer.
func (o object) Size() ref.Val {
	n := 0
	if o.raw != nil {
		for range mcpwire.Fields(o.raw) {
			n++
		}
	}
	return types.Int(n)
}

// Iterator implements traits.Iterable.
func (o object) Iterator() traits.Iterator { return o.whole().Iterator() }

// ConvertToNative implements ref.Val.
func (o object) ConvertToNative(t reflect.Type) (any, error) { return o.whole().ConvertToNative(t) }

// ConvertToType implements ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val { return o.whole().ConvertToType(t) }

// Equal implements ref.Val.
func (o object) Equal(other ref.Val) ref.Val {
	if x, ok := other.(object); ok {
		other = x.whole()
	}
	return o.whole().Equal(other)
}

// Type implements ref.Val.
func (o object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o object) Value() any { return o.whole().Value() }
