package guard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
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

func TestPatternsBeyondRE2AreChecked(t *testing.T) {
	long := strings.Repeat("honest words ", 3000)
	if durwardtest.Raced { // which makes it take a quarter of the time that there is
		long = strings.Repeat("honest words ", 100)
	}
	for schema, cases := range map[string]map[string]bool{
		`{"type":"object","properties":{"p":{"type":"string","pattern":"^(?=.*\\d).{4,}$","minLength":4},"q":{"pattern":"^a"}}}`: {
			`{"p":"none"}`: true, `{"p":"no5e"}`: false, `{"p":"no"}`: true, `{"p":5}`: true, `{"q":"b"}`: true, `{"q":"a"}`: false,
		},
		`{"type":"object","properties":{"p":{"pattern":"^(a|b)\\1$"}}}`:                 {`{"p":"aa"}`: false, `{"p":"ab"}`: true},
		`{"type":"object","patternProperties":{"^(?!x).*$":{"type":"string"}}}`:         {`{"a":1}`: true, `{"x":1}`: false},
		`{"type":"object","properties":{"p":{"pattern":"^(no pattern","maxLength":3}}}`: {`{"p":"any"}`: false, `{"p":"anything"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"^(?=\\p{Lu})\\p{L}+$"}}}`:       {`{"p":"Ärger"}`: false, `{"p":"ärger"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"^(?:(?!x).)*$"}}}`: {
			`{"p":"` + long + `"}`: false, `{"p":"x` + long + `"}`: true,
		},
		// As ECMA-262 has it, not RE2.
		`{"type":"object","properties":{"p":{"pattern":"[^].$"}}}`:                                 {`{"p":"A"}`: true, `{"p":"AB"}`: false, `{"p":"\nB"}`: false},
		`{"type":"object","properties":{"p":{"pattern":"^(?=a)[^]+[\\]\\[]*$"}}}`:                  {`{"p":"b"}`: true, `{"p":"a]["}`: false},
		`{"type":"object","properties":{"p":{"pattern":"^a[]*b$|[]"}}}`:                            {`{"p":"ab"}`: false, `{"p":"acb"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"^a\\sb[\\s]c$"}}}`:                         {"{\"p\":\"a\u00a0b\u2003c\"}": false, `{"p":"a b c"}`: false, `{"p":"a-b c"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"^\\S+$"}}}`:                                {"{\"p\":\"a\ufeffb\"}": true, `{"p":"a.b"}`: false},
		`{"type":"object","properties":{"p":{"pattern":"^[^\\S]$"}}}`:                              {"{\"p\":\"\u00a0\"}": false, `{"p":"a"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"(?s)^a.*z$"}}}`:                            {`{"p":"a\\nb\\nz"}`: false, `{"p":"b z"}`: true},
		`{"type":"object","properties":{"p":{"pattern":"^a.b$"}}}`:                                 {`{"p":"a\rb"}`: true, `{"p":"a\u2028b"}`: true, `{"p":"aéb"}`: false},
		`{"type":"object","properties":{"p":{"pattern":"^[[:a]\\.\\[]+$"}}}`:                       {`{"p":"[:a].[]"}`: true, `{"p":"a.[]"}`: false},
		`{"type":"object","properties":{"p":{"items":{"pattern":"(?=a)^(a+)+$"},"type":"array"}}}`: {`{"p":["aaaa","a"]}`: false, `{"p":["aab"]}`: true},
	} {
		for args, bad := range cases {
			if got := guard.NewSchemas().Check(tool(schema), []byte(args)); (len(got) > 0) != bad || guard.Unusable(got) {
				t.Errorf("%s: %.80s: Check = %.300s, want a violation: %v", schema, args, fmt.Sprint(got), bad)
			}
		}
	}
}

// What is nested too deep would take minutes to compile, while all who call the
// tool wait.
func TestAPatternCannotTakeForEverToCompile(t *testing.T) {
	for name, pattern := range map[string]string{
		"deep": strings.Repeat("(?=", 40_000) + "a" + strings.Repeat(")", 40_000),
		"long": "(?=a)" + strings.Repeat("b", 5000),
	} {
		got := guard.NewSchemas().Check(tool(`{"type":"object","properties":{"p":{"pattern":"`+pattern+`"}}}`), []byte(`{"p":"a"}`))
		if !guard.Unusable(got) {
			t.Errorf("%s: Check = %.300s, want to hear that it cannot be used", name, fmt.Sprint(got))
		}
	}
}

// Who makes a pattern take its time holds up nobody else who calls the tool.
func TestASlowPatternHoldsUpNobodyElse(t *testing.T) {
	leave := guard.TakeSlowPlaces()
	s, op := guard.NewSchemas(), tool(`{"type":"object","properties":{"p":{"pattern":"^(?=(a+)+$)(a|b)*c$"},"q":{"pattern":"^a"}}}`)
	slow := make(chan []durward.Finding)
	for range 3 {
		go func() { slow <- s.Check(op, []byte(`{"p":"`+strings.Repeat("a", 40)+`!"}`)) }()
	}
	for range 10 {
		if got := s.Check(op, []byte(`{"q":"abc"}`)); len(got) != 0 {
			t.Errorf("Check = %v, want nothing", got)
		}
		select {
		case got := <-slow:
			t.Fatalf("a match without a place to run says %v", got)
		default:
		}
	}
	leave()
	for range 3 {
		if got := <-slow; !guard.Unusable(got) {
			t.Errorf("the slow Check = %v, want to hear that it cannot be checked", got)
		}
	}
}

// TestAPatternCannotTakeForEver: (a+)+ goes back and tries again, twice as
// often with each character.
func TestAPatternCannotTakeForEver(t *testing.T) {
	op := tool(`{"type":"object","properties":{"p":{"type":"array","items":{"pattern":"(?=a)^(a+)+$"}}}}`)
	text := `"` + strings.Repeat("a", 60) + `b"`
	began := time.Now()
	got := guard.NewSchemas().Check(op, []byte(`{"p":[`+strings.Repeat(text+",", 200)+text+`]}`))
	if !guard.Unusable(got) || !strings.Contains(got[0].Evidence, "too many steps") {
		t.Errorf("Check = %+v, want to hear that it cannot be checked", got)
	}
	if d := time.Since(began); d > time.Minute { // without a bound: years
		t.Errorf("it took %s", d)
	}
}

func TestEveryFindingNamesItsRule(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{}},"unevaluatedProperties":false}`: "unevaluatedProperties: not allowed here",
		`{"type":"object","properties":{"zzz":{"exclusiveMinimum":3}}}`:         "exclusiveMinimum: got 1, want more than 3",
		`{"type":"object","properties":{"zzz":{"maximum":-9007199254740993}}}`:  "maximum: got 1, want at most -9007199254740993",
		`{"type":"object","properties":{"zzz":{"minimum":1.25}}}`:               "minimum: got 1, want at least 1.25",
		`{"type":"object","properties":{"zzz":{"multipleOf":0.3}}}`:             "multipleOf: got 1, want a multiple of 0.3",
		`{"type":"object","properties":{"zzz":{"not":{"type":"number"}}}}`:      "not: this is what the schema excludes",
		`{"type":"object","properties":{"zzz":{"type":"string"}}}`:              "type: got number, want string",
	} {
		got := guard.NewSchemas().Check(tool(schema), []byte(`{"zzz":1}`))
		if len(got) != 1 || got[0].Where != "/zzz" || got[0].Evidence != want {
			t.Errorf("%s: Check = %+v, want %q at /zzz", schema, got, want)
		}
	}
}

func TestFindingsAboutTheWhole(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","propertyNames":{"pattern":"^[a-y]|list"}}`:                                        `propertyNames: the name "zzz": pattern: 'zzz' does not match pattern '^[a-y]|list'`,
		`{"type":"object","dependentRequired":{"zzz":["b","c"]}}`:                                            `dependentRequired: with "zzz" there must be "b", "c"`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","dependencies":{"zzz":["b"]}}`: `dependencies: with "zzz" there must be "b"`,
		`{"type":"object","properties":{"list":{"contains":{"type":"integer"}}}}`:                            "contains: no items match contains schema",
	} {
		got := guard.NewSchemas().Check(tool(schema), []byte(`{"zzz":1,"list":["a","b"]}`))
		if len(got) != 1 || got[0].Evidence != want {
			t.Errorf("%s: Check = %+v, want %q", schema, got, want)
		}
	}
	if got := guard.NewSchemas().Check(tool(`{"type":"object","properties":{"zzz":{"$ref":"#/$defs/a"}},"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}`), []byte(`{"zzz":1}`)); !guard.Unusable(got) {
		t.Errorf("a schema that leads in a circle: Check = %+v, want to hear that it cannot be used", got)
	}
}
