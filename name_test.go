package durward_test

import (
	"strings"
	"testing"

	"durward"
)

func TestCheckUpstreamName(t *testing.T) {
	for name, ok := range map[string]bool{
		"crm": true, "a": true, "A-b_c": true, "9lives": true, "a_": true, strings.Repeat("a", 32): true,
		"": false, "_a": false, "-a": false, "a__b": false, "a.b": false, "a b": false, "ä": false, "a\n": false,
		strings.Repeat("a", 33): false,
	} {
		if err := durward.CheckUpstreamName(name); (err == nil) != ok {
			t.Errorf("CheckUpstreamName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestCheckAgentName(t *testing.T) {
	for name, ok := range map[string]bool{
		"support-bot": true, "a.b_c-d": true, strings.Repeat("a", 63): true,
		"": false, ".a": false, "a/b": false, "a b": false, strings.Repeat("a", 64): false, "é": false,
	} {
		if err := durward.CheckAgentName(name); (err == nil) != ok {
			t.Errorf("CheckAgentName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestUpstreamNamesClash(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"crm", "CRM", true},
		{"a", "a_", true}, // a + __ + _x and a_ + __ + x are both a___x
		{"a", "b", false},
		{"a_b", "a-b", false},
		{"a", "a_b", false},
	} {
		if got := durward.UpstreamNamesClash(tc.a, tc.b); got != tc.want {
			t.Errorf("UpstreamNamesClash(%q, %q) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestUpstreamNameFrom(t *testing.T) {
	for in, want := range map[string]string{
		"crm":                     "crm",
		"My Server":               "My-Server",
		"github.com/org/server":   "github-com-org-server",
		"a__b":                    "a_b",
		"__x":                     "x",
		" spaced ":                "spaced",
		"@scope/pkg":              "scope-pkg",
		"日本":                      "",
		"":                        "",
		"a_":                      "a_",
		strings.Repeat("ab ", 20): strings.Repeat("ab-", 10) + "ab",
	} {
		if got := durward.UpstreamNameFrom(in); got != want {
			t.Errorf("UpstreamNameFrom(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClosest(t *testing.T) {
	words := []string{"url", "command", "headers", "upstreams", "URLs"}
	for typed, want := range map[string]string{
		"ulr": "url", "URL": "url", "comand": "command", "upstream": "upstreams", "header": "headers",
		"x": "", "zzzzzz": "", "": "", strings.Repeat("u", 100): "",
	} {
		if got := durward.Closest(typed, words); got != want {
			t.Errorf("Closest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func FuzzUpstreamNameFrom(f *testing.F) {
	for _, s := range []string{"crm", "My Server", "a__b", "_-_-", "日本 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		alias := durward.UpstreamNameFrom(s)
		if alias == "" {
			if durward.CheckUpstreamName(s) == nil {
				t.Fatalf("UpstreamNameFrom(%q) lost a good name", s)
			}
			return
		}
		if err := durward.CheckUpstreamName(alias); err != nil {
			t.Fatalf("UpstreamNameFrom(%q) = %q: %v", s, alias, err)
		}
		if again := durward.UpstreamNameFrom(alias); again != alias {
			t.Fatalf("UpstreamNameFrom is not stable: %q, then %q", alias, again)
		}
	})
}

func TestUpstreamFaults(t *testing.T) {
	good := []durward.Upstream{
		{Name: "files", Command: "npx", Args: []string{"-y"}, Env: map[string]string{"A": "b"}, Dir: "x"},
		{Name: "crm", URL: "https://crm.example/mcp", Headers: map[string]string{"Authorization": "Bearer x"}, Era: "modern"},
	}
	for _, u := range good {
		if f := u.Faults(); len(f) > 0 {
			t.Errorf("%s: Faults = %v, want none", u.Name, f)
		}
	}
	for field, u := range map[string]durward.Upstream{
		"":                    {Name: "a"},
		"name":                {Name: "a__b", Command: "x"},
		"url":                 {Name: "a", URL: "ftp://x"},
		"headers.Host":        {Name: "a", URL: "http://x", Headers: map[string]string{"Host": "y"}},
		"headers.X":           {Name: "a", URL: "http://x", Headers: map[string]string{"X": "a\r\nb"}},
		"headers.Mcp-Param-Q": {Name: "a", URL: "http://x", Headers: map[string]string{"Mcp-Param-Q": "1"}},
		"env":                 {Name: "a", Command: "x", Env: map[string]string{"A=B": "1"}},
		"args":                {Name: "a", Command: "x", Args: []string{"a\x00"}},
		"headers":             {Name: "a", Command: "x", Headers: map[string]string{"A": "1"}},
		"transport":           {Name: "a", Command: "x", Transport: "http"},
		"era":                 {Name: "a", Command: "x", Era: "old"},
		"timeout":             {Name: "a", Command: "x", Timeout: -1},
		"record":              {Name: "a", Command: "x", Record: "some"},
	} {
		faults := u.Faults()
		if len(faults) != 1 || faults[0].Field != field {
			t.Errorf("Faults of bad %q = %v, want exactly that", field, faults)
		}
	}
}

func TestFaultsKeepSecrets(t *testing.T) {
	u := durward.Upstream{Name: "a", URL: "https://user:s3cret@x#s3cret", Headers: map[string]string{"X": "s3cret\n"}}
	for _, f := range u.Faults() {
		if strings.Contains(f.Error(), "s3cret") {
			t.Errorf("fault shows the secret: %v", f)
		}
	}
}
