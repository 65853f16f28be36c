package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"durward/internal/guard"
)

// chain nests a keyword so that each level leads twice to the next.
func chain(levels int, level string) string {
	var b strings.Builder
	b.WriteString(`{"type":"object","properties":{"x":{"$ref":"#/$defs/l0"}},"$defs":{`)
	for i := range levels {
		fmt.Fprintf(&b, `"l%d":%s,`, i, strings.ReplaceAll(level, "NEXT", fmt.Sprintf(`{"$ref":"#/$defs/l%d"}`, i+1)))
	}
	fmt.Fprintf(&b, `"l%d":{"type":"string"}}}`, levels)
	return b.String()
}

func TestWhatASchemaMayCostIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + `1` + strings.Repeat(`}`, 60)
	lists := strings.Repeat(`[`, 60) + strings.Repeat(`]`, 60)
	for what, tc := range map[string]struct{ schema, args string }{
		"anyOf that doubles":               {chain(30, `{"anyOf":[NEXT,NEXT]}`), `{"x":5}`},
		"allOf under not that doubles":     {chain(30, `{"not":{"allOf":[NEXT,NEXT]}}`), `{"x":5}`},
		"recursion that doubles":           {`{"type":"object","anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, deep},
		"recursion behind an anchor":       {`{"$anchor":"r","type":"object","anyOf":[{"properties":{"a":{"$ref":"#r"}}},{"properties":{"a":{"$ref":"#r"}}}]}`, deep},
		"patterns that double":             {`{"type":"object","not":{"required":["zz"]},"patternProperties":{"a":{"$ref":"#"},"^a":{"$ref":"#"}},"properties":{"a":{"$ref":"#"}}}`, deep},
		"contains in a recursion":          {`{"properties":{"x":{"$ref":"#/$defs/l"}},"$defs":{"l":{"items":{"$ref":"#/$defs/l"},"contains":{"$ref":"#/$defs/l"},"minItems":9}}}`, `{"x":` + lists + `}`},
		"dependent schemas in a recursion": {`{"not":{"$ref":"#/$defs/n"},"$defs":{"n":{"required":["zz"],"dependentSchemas":{"a":{"$ref":"#/$defs/n"}},"properties":{"a":{"$ref":"#/$defs/n"}}}}}`, deep},
		"unique items of a long list":      {`{"properties":{"x":{"type":"array","uniqueItems":true,"items":{"anyOf":[{"type":"string"},{"type":"number"}]}}}}`, `{"x":[` + strings.Repeat(`1,`, 60_000) + `1]}`},
	} {
		// That it comes back at all is what counts; most are refused.
		if got := guard.NewSchemas().Check(tool(tc.schema), []byte(tc.args)); len(got) == 0 {
			t.Errorf("%s: nothing was found", what)
		}
	}
}

func TestUsualRecursionIsUsable(t *testing.T) {
	tree := `{"type":"object","properties":{"value":{"type":"integer"},"left":{"$ref":"#"},"right":{"$ref":"#"}},"required":["value"]}`
	filter := `{"type":"object","properties":{"f":{"$ref":"#/$defs/f"}},"$defs":{"f":{"oneOf":[{"type":"string"},{"type":"object","required":["and"],"properties":{"and":{"type":"array","items":{"$ref":"#/$defs/f"}}}},{"type":"object","required":["not"],"properties":{"not":{"$ref":"#/$defs/f"}}}]}}}`
	for _, tc := range []struct{ schema, args, where string }{
		{tree, `{"value":1,"left":{"value":2,"right":{"value":3}},"right":{"value":4}}`, ""},
		{tree, `{"value":1,"left":{"value":2,"right":{"value":"3"}}}`, "/left/right/value"},
		{filter, `{"f":{"and":["a",{"not":{"and":["b","c",{"not":"d"}]}}]}}`, ""},
	} {
		got := guard.NewSchemas().Check(tool(tc.schema), []byte(tc.args))
		if (tc.where == "") != (len(got) == 0) || (tc.where != "" && got[0].Where != tc.where) {
			t.Errorf("%s: Check = %+v, want a finding at %q", tc.args, got, tc.where)
		}
	}
}

func TestNumbersOutOfRangeAreNamed(t *testing.T) {
	schema := `{"type":"object","properties":{"f":{"type":"number","multipleOf":0.1}}}`
	for _, n := range []string{"1e-999999999", "1e999999999", "1e99999999999999999999", "1" + strings.Repeat("0", 500)} {
		got := guard.NewSchemas().Check(tool(schema), []byte(`{"f":`+n+`}`))
		if len(got) != 1 || got[0].Rule != guard.RuleNumber || got[0].Where != "/f" {
			t.Errorf("%.20s: Check = %+v, want one %s at /f", n, got, guard.RuleNumber)
		}
	}
}

func TestPatternsBeyondRE2LeaveTheRestChecked(t *testing.T) {
	schema := `{"type":"object","properties":{"p":{"type":"string","pattern":"^(?=.*\\d).{4,}$","minLength":4},"q":{"pattern":"^a"}}}`
	for args, bad := range map[string]bool{`{"p":"none"}`: false, `{"p":"no"}`: true, `{"p":5}`: true, `{"q":"b"}`: true, `{"q":"a"}`: false} {
		if got := guard.NewSchemas().Check(tool(schema), []byte(args)); (len(got) > 0) != bad {
			t.Errorf("%s: Check = %+v, want a finding: %v", args, got, bad)
		}
	}
}

func TestEveryFindingNamesItsRule(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{}},"unevaluatedProperties":false}`: "unevaluatedProperties: not allowed here",
		`{"type":"object","properties":{"zzz":{"exclusiveMinimum":3}}}`:         "exclusiveMinimum: got 1, want 3",
		`{"type":"object","properties":{"zzz":{"type":"string"}}}`:              "type: got number, want string",
	} {
		got := guard.NewSchemas().Check(tool(schema), []byte(`{"zzz":1}`))
		if len(got) != 1 || got[0].Where != "/zzz" || got[0].Evidence != want {
			t.Errorf("%s: Check = %+v, want %q at /zzz", schema, got, want)
		}
	}
}
