package notary_test

import (
	"fmt"
	"strings"
	"testing"

	"durward"
	"durward/internal/guard/notary"
	"durward/internal/mcpwire"
)

func TestAnotherServer(t *testing.T) {
	n := newNotary(t)
	at := func(url, version string) []byte {
		return notary.Server(&durward.Upstream{Name: "crm", URL: url}, fmt.Appendf(nil, `{"name":"crm","version":%q}`, version), "")
	}
	offer := &notary.Offer{Upstream: "crm", Server: at("https://crm.example/mcp?key=1", "1"), Tools: raw(addTool)}
	book := notary.NewBook(n.Judge(offer, notary.NewBook(nil), &notary.Policy{}).Trusted)
	judge := func(url, version string, g durward.Guarding) string {
		offer.Server = at(url, version)
		return reasons(n.Judge(offer, book, &notary.Policy{Guarding: g}))
	}
	if got := judge("https://crm.example/mcp?key=2", "1", durward.Guarding{}); got != "" {
		t.Errorf("another secret in the query: %q", got)
	}
	if got := judge("https://crm.example/mcp", "2", durward.Guarding{}); got != "server  server_changed" {
		t.Errorf("another version: %q", got)
	}
	if got := judge("https://other.example/mcp", "1", durward.Guarding{}); got != "server  server_changed" {
		t.Errorf("another address: %q", got)
	}
	const all = "server  server_changed withheld, tool add server_changed withheld"
	if got := judge("https://other.example/mcp", "1", durward.Guarding{Identity: "withhold"}); got != all {
		t.Errorf("another address, withheld: %q", got)
	}
	if got := judge("https://other.example/mcp", "1", durward.Guarding{FirstSight: durward.Quarantine}); got != all {
		t.Errorf("another address, quarantine: %q", got)
	}
	strict := durward.Guarding{Identity: "strict"}
	if got := judge("https://crm.example/mcp", "2", strict); got != all {
		t.Errorf("another version, strict: %q", got)
	}
	if got := judge("https://crm.example/mcp", "1", strict); got != "" {
		t.Errorf("the same, strict: %q", got)
	}
}

// Each part of what a server is counts: what is another server waits for a
// person where policy says so, and what it says of itself where it is strict.
func TestWhatAServerIs(t *testing.T) {
	const key = "sha256/AAAA"
	web := durward.Upstream{Name: "crm", URL: "https://crm.example/mcp"}
	local := durward.Upstream{Name: "crm", Command: "npx", Args: []string{"-y", "@acme/crm@1.2.0", "--read-only"}}
	for name, c := range map[string]struct {
		before, after durward.Upstream
		info, key     string
		withhold      bool // not only when strict
	}{
		"host":         {before: web, after: durward.Upstream{URL: "https://crm2.example/mcp"}, withhold: true},
		"scheme":       {before: web, after: durward.Upstream{URL: "http://crm.example/mcp"}, withhold: true},
		"path":         {before: web, after: durward.Upstream{URL: "https://crm.example/v2/mcp"}, withhold: true},
		"transport":    {before: web, after: durward.Upstream{URL: "https://crm.example/mcp", Transport: "sse"}, withhold: true},
		"local":        {before: web, after: local, withhold: true},
		"command":      {before: local, after: durward.Upstream{Command: "uvx", Args: local.Args}, withhold: true},
		"package":      {before: local, after: durward.Upstream{Command: "npx", Args: []string{"-y", "@acme/crn@1.2.0", "--read-only"}}, withhold: true},
		"its version":  {before: local, after: durward.Upstream{Command: "npx", Args: []string{"-y", "@acme/crm@1.2.1", "--read-only"}}, withhold: true},
		"an argument":  {before: local, after: durward.Upstream{Command: "npx", Args: []string{"-y", "@acme/crm@1.2.0"}}, withhold: true},
		"key":          {before: web, after: web, key: "sha256/BBBB"},
		"what it says": {before: web, after: web, info: `{"name":"crm","version":"2"}`},
	} {
		n := newNotary(t)
		offer := &notary.Offer{Upstream: "crm", Server: notary.Server(&c.before, []byte(`{"name":"crm","version":"1"}`), key), Tools: raw(addTool)}
		book := notary.NewBook(n.Judge(offer, notary.NewBook(nil), &notary.Policy{}).Trusted)
		if c.info == "" {
			c.info = `{"name":"crm","version":"1"}`
		}
		if c.key == "" {
			c.key = key
		}
		offer.Server = notary.Server(&c.after, []byte(c.info), c.key)
		for _, identity := range []string{"", "withhold", "strict"} {
			want := "server  server_changed"
			if identity == "strict" || identity == "withhold" && c.withhold {
				want = "server  server_changed withheld, tool add server_changed withheld"
			}
			if got := reasons(n.Judge(offer, book, &notary.Policy{Guarding: durward.Guarding{Identity: identity}})); got != want {
				t.Errorf("another %s, identity %q: %q, want %q", name, identity, got, want)
			}
		}
	}
}

func TestPackages(t *testing.T) {
	for line, want := range map[string]string{
		"npx -y @acme/crm@1.2.0 --stdio":                       "@acme/crm@1.2.0",
		"npx -y --package=@acme/crm@2 crm":                     "@acme/crm@2",
		"npx --registry https://r.example -y crm":              "crm",
		"npm exec -y -- crm@3":                                 "crm@3",
		"pnpm dlx crm@3":                                       "crm@3",
		"uvx --from git+https://git.example/crm@v1 crm":        "git+https://git.example/crm@v1",
		"uv tool run crm==1.0":                                 "crm==1.0",
		"pipx run crm==1.0":                                    "crm==1.0",
		"docker run -i --rm -e TOKEN acme/crm:1.2 --stdio":     "acme/crm:1.2",
		"docker run --rm -i --network=none acme/crm@sha256:00": "acme/crm@sha256:00",
		`C:\Programs\npx.cmd -y crm@1`:                         "crm@1",
		"cmd /c npx -y crm@1":                                  "crm@1",
		"node server.js":                                       "",
		"uv run server.py":                                     "",
		"docker ps":                                            "",
		"sh":                                                   "",
	} {
		words := strings.Fields(line)
		got := string(notary.Server(&durward.Upstream{Command: words[0], Args: words[1:]}, nil, ""))
		p, _ := mcpwire.FieldText([]byte(got), "package")
		if p != want {
			t.Errorf("%s: package %q, want %q", line, p, want)
		}
	}
}

func TestServerHoldsNoSecrets(t *testing.T) {
	got := string(notary.Server(&durward.Upstream{Command: "/opt/bin/npx", Args: []string{"-y", "@acme/crm@1.2.0", "--token", "hunter2hunter2", "--api-key=hunter3", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"}}, nil, ""))
	if strings.Contains(got, "hunter") || strings.Contains(got, "ghp_16C7") || strings.Contains(got, "/opt") {
		t.Errorf("Server = %s", got)
	}
	if web := string(notary.Server(&durward.Upstream{URL: "https://ann:hunter2@crm.example/mcp?key=hunter3#hunter4"}, nil, "")); !strings.Contains(web, `"address":"https://crm.example/mcp"`) {
		t.Errorf("Server = %s", web)
	}
	if !strings.Contains(got, `"package":"@acme/crm@1.2.0"`) {
		t.Errorf("Server = %s, want the package", got)
	}
}
