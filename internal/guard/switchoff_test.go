package guard_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/guard"
)

// No detector can be switched off: not by padding, nesting, duplicate keys,
// borders or types that are not what they say. What lies beyond a bound is told.

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// places are where a value may stand in an object, however odd.
func places(value string) map[string]string {
	q := jsonText(value)
	pad := jsonText(strings.Repeat("The report lists rainfall by region and month, with averages. ", 1700))
	return map[string]string{
		"plain":                 `{"note":` + q + `}`,
		"behind padding":        `{"note":` + jsonText(strings.Repeat("Rain in the north and sun in the south. ", 700)+value) + `}`,
		"between paddings":      `{"a":` + pad + `,"note":` + q + `,"b":` + pad + `}`,
		"forty objects deep":    strings.Repeat(`{"a":`, 40) + `{"note":` + q + `}` + strings.Repeat("}", 40),
		"forty lists deep":      `{"note":` + strings.Repeat(`[`, 40) + q + strings.Repeat("]", 40) + `}`,
		"four hundred deep":     strings.Repeat(`{"a":`, 400) + `{"note":` + q + `}` + strings.Repeat("}", 400),
		"the same key, first":   `{"note":` + q + `,"note":"fine"}`,
		"the same key, last":    `{"note":"fine","note":` + q + `}`,
		"among many values":     `{"rows":[` + strings.Repeat(`{"i":1,"v":"abcd"},`, 6000) + `{"note":` + q + `}]}`,
		"among too many values": `{"rows":[` + strings.Repeat(`[1],`, 70_000) + `{"note":` + q + `}]}`,
		"escaped":               `{"note":"` + escapedAll(value) + `"}`,
		"JSON in a string":      `{"note":` + jsonText(`{"inner":`+q+`}`) + `}`,
		"behind an empty one":   `{"":"","note":` + q + `}`,
	}
}

func TestNothingSwitchesResultsOff(t *testing.T) {
	s := scope(t, durward.Guard{})
	for name, raw := range places(order) {
		for carrier, message := range map[string]string{
			"structured content": `{"structuredContent":` + raw + `}`, "a text": `{"content":[{"type":"text","text":` + jsonText(raw) + `}]}`,
			"an image": `{"content":[{"type":"image","mimeType":"image/png","data":` + jsonText(raw) + `}]}`, "an unknown member": `{"content":[],"x-more":` + raw + `}`,
			"a content that is no list": `{"content":` + raw + `}`, "a text that is no string": `{"content":[{"type":"text","text":` + raw + `}]}`,
			"a blob that is none": `{"contents":[{"uri":"x://y","blob":` + jsonText(raw) + `}]}`, "an error": `{"code":1,"message":` + jsonText(raw) + `}`,
		} {
			v := s.Read([]byte(message), durward.Deny)
			if v.Effect == durward.Allow {
				t.Errorf("%s in %s passed in silence", name, carrier)
			}
			if v.Effect == durward.Redact && strings.Contains(string(v.Body), "drop@collector.example") {
				t.Errorf("%s in %s: told, not taken out", name, carrier)
			}
		}
	}
}

func TestNothingSwitchesDefinitionsOff(t *testing.T) {
	e := engine(t)
	for name, raw := range places(order) {
		for place, def := range map[string]string{
			"the schema": `{"name":"t","description":"Reads.","inputSchema":{"type":"object","properties":` + raw + `}}`, "_meta": `{"name":"t","_meta":` + raw + `}`,
			"a description that is no string": `{"name":"t","description":` + raw + `}`, "a description": `{"name":"t","description":` + jsonText(raw) + `}`,
			"an unknown member": `{"name":"t","x-more":` + raw + `}`, "an enum": `{"name":"t","inputSchema":{"properties":{"a":{"enum":[` + raw + `]}}}}`,
			"a second description": `{"name":"t","description":"Reads.","description":` + jsonText(raw) + `}`, "annotations": `{"name":"t","annotations":` + raw + `}`,
		} {
			if r := e.Definition([]byte(def)); r.Effect > durward.Hold && !r.Partial {
				t.Errorf("%s in %s: %s, score %.2f", name, place, r.Effect, r.Score)
			}
		}
	}
}

func TestNothingSwitchesArgumentsOff(t *testing.T) {
	const planted = "durward-canary-7f3a9c11e0b24d58"
	p := policy(t, durward.Guard{Honeytokens: []string{planted}})
	s := p.Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "crm", Name: "get_row", PolicyName: "crm__get_row", InputSchema: []byte(`{"type":"object"}`)})
	for what, value := range map[string]string{
		"arguments.secret": "token " + leaked, "arguments.sqli": "1' OR '1'='1' UNION SELECT password FROM users --", guard.RuleHoneytoken: planted,
	} {
		for name, raw := range places(value) {
			raw = strings.ReplaceAll(raw, `"note"`, `"id"`) // a field that takes no prose
			v := s.Arguments([]byte(raw))
			found := false
			for _, f := range v.Findings {
				found = found || f.Rule == what || f.Rule == "guard.partial"
			}
			if !found {
				t.Errorf("%s, %s: %s %+v", what, name, v.Effect, v.Findings)
			}
		}
	}
	source, sink := flows(t)
	for name, raw := range places("Adaeze Okonkwo, DE89370400440532013000, born 1988-03-14, Linienstrasse 112") {
		c := guard.NewMemory(time.Now).Conversation("a", time.Hour)
		c.Heard(source, []byte(employee), source.Read([]byte(employee), durward.Deny), 0)
		args := `{"to":"x@collector.example",` + raw[1:]
		if v := c.Judge(sink, []byte(args)); v.Effect > durward.Hold {
			t.Errorf("a leak, %s: %s %+v", name, v.Effect, v.Findings)
		}
	}
}
