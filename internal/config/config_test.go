package config_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/config"
)

func env(vars map[string]string) config.Options {
	return config.Options{Env: func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}}
}

var someEnv = map[string]string{
	"CRM_TOKEN": "t0ken-in-crm", "SUPPORT_BOT_KEY": "an-operator-chose-this-key", "PORT": "9090", "YES": "true", "EMPTY": "",
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("durward.yaml", []byte(text), env(someEnv))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return c
}

// example is the one that users are shown first.
const example = `
listen: 127.0.0.1:8080
admin: {listen: 127.0.0.1:8081}
data: ./durward-data                # embedded database, audit log, sealed secrets
upstreams:                          # the value is what MCP clients already write under mcpServers, plus our keys
  files:
    command: npx
    args: [-y, "@modelcontextprotocol/server-filesystem", /srv/docs]
  crm:
    url: https://crm.example/mcp
    headers: {Authorization: "Bearer ${env:CRM_TOKEN}"}
  billing:
    url: https://billing.internal
    prefix: none                    # only for an upstream that is reached by its own endpoint
agents:
  support-bot:
    key: ${env:SUPPORT_BOT_KEY}     # or minted with durward agent create
    roles: [support]
  laptop: {anonymous: true, roles: [support], compat: tolerant}
roles:
  support:
    allow: ["files__read_*", "crm__*"]
    deny: ["crm__delete_*"]
guard: {mode: block}
`

func TestExample(t *testing.T) {
	c := parse(t, example)
	got := c.Declared(func(s string) [32]byte { return sha256.Sum256([]byte(s)) })
	sum := sha256.Sum256([]byte(someEnv["SUPPORT_BOT_KEY"]))
	want := &durward.Snapshot{
		Agents: []durward.Agent{
			{Name: "laptop", Roles: []string{"support"}, Anonymous: true, Compat: durward.Tolerant, Origin: durward.FromFile},
			{Name: "support-bot", Roles: []string{"support"}, Origin: durward.FromFile},
		},
		Keys:  []durward.Key{{ID: got.Keys[0].ID, Agent: "support-bot", Hash: sum, Hint: "-key", Origin: durward.FromFile}},
		Roles: []durward.Role{{Name: "support", Allow: []string{"files__read_*", "crm__*"}, Deny: []string{"crm__delete_*"}}},
		Upstreams: []durward.Upstream{
			{Name: "billing", URL: "https://billing.internal", Prefix: "none", Origin: durward.FromFile},
			{Name: "crm", URL: "https://crm.example/mcp", Headers: map[string]string{"Authorization": "Bearer t0ken-in-crm"}, Origin: durward.FromFile},
			{Name: "files", Command: "npx", Args: []string{"-y", "@modelcontextprotocol/server-filesystem", "/srv/docs"}, Origin: durward.FromFile},
		},
		Arguments: "enforce", Record: "digest", Reads: "batched", RecordMode: "durable", Results: "off", Evidence: "shape",
		Runaway:   durward.Runaways{All: durward.Runaway{Mode: "record", Window: time.Minute, SameCall: 30, Errors: 15, PingPong: 20, FanOut: 50, Novel: 4 * time.Hour, Slow: 5 * time.Second}},
		Guard:     durward.Guard{GuardScope: durward.GuardScope{Mode: "block"}, Spotlight: "off", Idle: 30 * time.Minute, Quarantine: 24 * time.Hour},
		Guarding:  durward.Guarding{FirstSight: "scan-then-trust", Resources: "scan", Identity: "first-sight", People: 1, Probe: 10 * time.Minute},
		Approvals: durward.ApprovalDefaults(), Once: durward.OnceDefaults(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Declared = %+v\nwant       %+v", got, want)
	}
	if c.Listen != "127.0.0.1:8080" || c.AdminListen != "127.0.0.1:8081" || c.Data != "durward-data" || len(c.Warnings) != 0 {
		t.Errorf("config = %+v", c)
	}
}

func TestDefaultsHoldForAnEmptyFile(t *testing.T) {
	for name, text := range map[string]string{"durward.yaml": "", "comments.yaml": "# nothing\n", "null.yaml": "agents:\nroles:\nupstreams:\n", "durward.json": "{}", "blank.json": " \n"} {
		c, err := config.Parse(name, []byte(text), env(nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := config.Limits{Body: 4 << 20, Headers: 64 << 10, HeaderTimeout: 10 * time.Second, BodyTimeout: time.Minute, IdleTimeout: 2 * time.Minute, DrainTimeout: 30 * time.Second, Sessions: 20_000, SessionIdle: 12 * time.Hour}
		if c.Listen != "127.0.0.1:8080" || c.Data != "durward-data" || c.Limits != want || c.Log != (config.Log{Level: "info", Format: "text"}) || c.Arguments != "enforce" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestEveryKey(t *testing.T) {
	c := parse(t, `
$schema: https://durward.example/schema.json
listen: "127.0.0.1:${env:PORT}"
admin:
  listen: "[::1]:8081"
  key: [an-operators-key-to-the-admin-api]
data: /var/lib/durward
upstreams:
  a_b: {command: run, args: [-p, 8080, true, 1.50], env: {PORT: 8080, SHOUT: '$${HOME}'}, cwd: work, timeout: 1m30s, arguments: report, record: full, sharing: session, disabled: true}
  C: {url: "http://c.example/sse?x=1", type: sse, era: legacy, headers: {X-N: 7}}
mcpServers:
  "Git Hub": {type: streamable-http, url: https://gh.example, timeout: 60, autoApprove: [x]}
  gem: {httpUrl: https://gem.example, timeout: 90s, trust: true}
servers:
  vs: {type: stdio, command: node, args: [server.js], dev: {watch: x}}
agents:
  multi: {key: [x123456789012345678901234, abcdefghijklmnopqrstuvwxyz], disabled: true}
  quiet:
roles: {r: {allow: ["*"], deny: }}
guard:
  mode: observe
  rules: {result.hidden: flag}
  vectors: {secrets: redact}
  upstreams: {C: {mode: flag, trust: untrusted, data: personal, effect: sends, to: ["*@c.example"], restore: true, rules: {flow.trifecta: hold}}}
  tools: {"C__get_*": {vectors: {injection: block}, effect: reads}}
  agents: {multi: {mode: hold}}
  spotlight: untrusted
  honeytokens: a-planted-value-0123456789
  conversation: example.com/thread
  idle: 1h
  egress: 64KiB
  quarantine: 2h
  classifier: {url: "http://127.0.0.1:9/judge", headers: {X-Key: k}, timeout: 300ms, fail: hold, carriers: [results, asks], from: 20, to: 80}
record: {arguments: redacted, reads: durable}
limits: {body: 1MiB, headers: 8192, header_timeout: 5s, body_timeout: 500ms, idle_timeout: 1h, drain_timeout: 2m, sessions: 10, session_idle: 30m}
allowed_origins: ["https://App.example", "http://localhost:3000"]
allowed_hosts: [gw.example, "[::1]"]
force_anonymous: ${env:YES}
log: {level: debug, format: json}
`)
	up := map[string]durward.Upstream{}
	for _, u := range c.Upstreams {
		up[u.Name] = u
	}
	if got := up["a_b"]; !reflect.DeepEqual(got, durward.Upstream{
		Name: "a_b", Command: "run", Args: []string{"-p", "8080", "true", "1.50"}, Env: map[string]string{"PORT": "8080", "SHOUT": "${HOME}"}, Dir: abs(t, "work"),
		Timeout: 90 * time.Second, Arguments: "report", Record: "full", Sharing: "session", Disabled: true, Origin: durward.FromFile,
	}) {
		t.Errorf("a_b = %+v", got)
	}
	if got := up["C"]; got.Transport != "sse" || got.Era != "legacy" || got.Headers["X-N"] != "7" {
		t.Errorf("C = %+v", got)
	}
	if got := up["Git-Hub"]; got.Transport != "http" || got.URL != "https://gh.example" || got.Timeout != 0 {
		t.Errorf("Git Hub = %+v", got)
	}
	if got := up["gem"]; got.URL != "https://gem.example" || got.Timeout != 90*time.Second {
		t.Errorf("gem = %+v", got)
	}
	if got := up["vs"]; got.Transport != "stdio" || got.Command != "node" {
		t.Errorf("vs = %+v", got)
	}
	if want := (durward.Guard{
		GuardScope: durward.GuardScope{Mode: "observe", Rules: map[string]string{"result.hidden": "flag"}, Vectors: map[string]string{"secrets": "redact"}},
		Upstreams: map[string]durward.GuardScope{"C": {Mode: "flag", Rules: map[string]string{"flow.trifecta": "hold"}, Trust: "untrusted", Data: "personal",
			Effect: "sends", To: []string{"*@c.example"}, Restore: true}},
		Tools:     map[string]durward.GuardScope{"C__get_*": {Vectors: map[string]string{"injection": "block"}, Effect: "reads"}},
		Agents:    map[string]durward.GuardScope{"multi": {Mode: "hold"}},
		Spotlight: "untrusted", Honeytokens: []string{"a-planted-value-0123456789"}, Conversation: "example.com/thread",
		Idle: time.Hour, Egress: 64 << 10, Quarantine: 2 * time.Hour,
		Classifier: durward.GuardClassifier{URL: "http://127.0.0.1:9/judge", Headers: map[string]string{"X-Key": "k"}, Timeout: 300 * time.Millisecond,
			Fail: "hold", Carriers: []string{"results", "asks"}, From: 20, To: 80},
	}); !reflect.DeepEqual(c.Guard, want) {
		t.Errorf("Guard = %+v, want %+v", c.Guard, want)
	}
	if len(c.Keys) != 3 || len(c.Agents) != 2 || c.Listen != "127.0.0.1:9090" || c.AdminListen != "[::1]:8081" || c.Data != "/var/lib/durward" {
		t.Errorf("config = %+v", c)
	}
	if c.Arguments != "report" || c.Record != "redacted" || c.Reads != "durable" {
		t.Errorf("modes = %s %s %s", c.Arguments, c.Record, c.Reads)
	}
	if want := (config.Limits{Body: 1 << 20, Headers: 8192, HeaderTimeout: 5 * time.Second, BodyTimeout: 500 * time.Millisecond, IdleTimeout: time.Hour, DrainTimeout: 2 * time.Minute, Sessions: 10, SessionIdle: 30 * time.Minute}); c.Limits != want {
		t.Errorf("Limits = %+v, want %+v", c.Limits, want)
	}
	if !reflect.DeepEqual(c.AllowedOrigins, []string{"https://app.example", "http://localhost:3000"}) || len(c.AllowedHosts) != 2 {
		t.Errorf("origins %v, hosts %v", c.AllowedOrigins, c.AllowedHosts)
	}
	var warned []string
	for _, w := range c.Warnings {
		warned = append(warned, w.Path)
	}
	if want := []string{`mcpServers["Git Hub"]`, `mcpServers["Git Hub"].timeout`, `mcpServers["Git Hub"].autoApprove`, "mcpServers.gem.trust", "servers.vs.dev"}; !reflect.DeepEqual(warned, want) {
		t.Errorf("warned of %q, want %q", warned, want)
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func TestCommandsBesideTheFile(t *testing.T) {
	c, err := config.Parse("conf/durward.yaml", []byte("upstreams: {a: {command: ./run}, b: {command: ../x/run}, c: {command: npx}, d: {command: /bin/x}}"), env(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{abs(t, "conf/run"), abs(t, "x/run"), "npx", "/bin/x"} {
		if got := c.Upstreams[i].Command; got != want {
			t.Errorf("command %d = %q, want %q", i, got, want)
		}
	}
}

func TestNeedsRestart(t *testing.T) {
	running := parse(t, example)
	for text, want := range map[string]string{
		example:                             "",
		"roles: {r: }\nlog: {level: debug}": "",
		"listen: 127.0.0.1:1\nadmin: {listen: 'localhost:2'}\ndata: x": "listen admin.listen data",
		"limits: {body: 1MiB}\nlog: {format: json}":                    "limits log.format",
		"allowed_hosts: [x]\nallowed_origins: ['http://x']":            "allowed_origins allowed_hosts",
	} {
		if got := strings.Join(config.NeedsRestart(running, parse(t, text)), " "); got != want {
			t.Errorf("NeedsRestart(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestJSONIsUnderstoodToo(t *testing.T) {
	text := "{\n\t\"mcpServers\": {\n\t\t\"caf\\u00e9 \\ud83d\\ude00\": {\"command\": \"a\\/b\", \"args\": [\"\\ud83d\\ude00\"], \"bad\": 1}\n\t}\n}"
	_, err := config.Parse("x.json", []byte(text), env(nil))
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 1 || ps[0].Line != 3 || !strings.Contains(ps[0].Text, "unknown key") {
		t.Fatalf("err = %v, want one unknown key in line 3", err)
	}
	c, err := config.Parse("x.json", []byte(strings.Replace(text, `, "bad": 1`, "", 1)), env(nil))
	if err != nil || len(c.Upstreams) != 1 || c.Upstreams[0].Command != "a/b" || c.Upstreams[0].Args[0] != "😀" {
		t.Fatalf("config = %+v, %v", c, err)
	}
}

func TestFileReferences(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("key.txt", "a-key-that-lives-in-a-file\n")
	write("empty.txt", "\n")
	write("large.txt", strings.Repeat("x", 100_000))
	c, err := config.Load(write("durward.yaml", "data: d\nagents: {bot: {key: \"${file:key.txt}\"}}\nupstreams: {a: {command: x, cwd: y}}"), env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Keys[0].Secret.Reveal() != "a-key-that-lives-in-a-file" || c.Data != filepath.Join(dir, "d") || c.Upstreams[0].Dir != filepath.Join(dir, "y") {
		t.Errorf("config = %+v", c)
	}
	for name, want := range map[string]string{"gone.txt": "no such file", "empty.txt": "is empty", "large.txt": "larger than", ".": "not a regular file"} {
		_, err := config.Load(write("bad.yaml", "agents: {bot: {key: \"${file:"+name+"}\"}}"), env(nil))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "agents.bot.key") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestOptionsWin(t *testing.T) {
	o := env(nil)
	o.Listen, o.AdminListen, o.Data = "0.0.0.0:1", "0.0.0.0:2", "/elsewhere"
	c, err := config.Parse("durward.yaml", []byte("data: here"), o)
	if err != nil || c.Listen != "0.0.0.0:1" || c.AdminListen != "0.0.0.0:2" || c.Data != "/elsewhere" {
		t.Errorf("config = %+v, %v", c, err)
	}
	if _, err := config.Parse("durward.yaml", []byte("agents: {a: {anonymous: true}}"), o); err == nil || !strings.Contains(err.Error(), "0.0.0.0:1") {
		t.Errorf("an anonymous agent on a public listener: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true, "LOCALHOST:0": true, "[::ffff:127.0.0.1]:1": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "localhost.example:80": false, "127.0.0.1": false, "": false,
	} {
		if got := config.Loopback(address); got != want {
			t.Errorf("Loopback(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestPrintLoadsAgainAndKeepsSecrets(t *testing.T) {
	text := example + "\nallowed_hosts: [gw.example]\n"
	text = strings.Replace(text, "https://billing.internal", "https://billing.internal/?key=s3cret", 1)
	out, err := parse(t, text).Print()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"t0ken-in-crm", "an-operator-chose-this-key", "s3cret"} {
		if strings.Contains(string(out), secret) {
			t.Errorf("Print shows %q:\n%s", secret, out)
		}
	}
	for _, want := range []string{"listen: 127.0.0.1:8080", "body: 4MiB", "session_idle: 12h", "allow: [files__read_*, crm__*]", "laptop:", "anonymous: true", "level: info", "arguments: enforce"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("Print lacks %q:\n%s", want, out)
		}
	}
	again := strings.ReplaceAll(string(out), "[redacted]", "0123456789012345678901234")
	if _, err := config.Parse("durward.yaml", []byte(again), env(nil)); err != nil {
		t.Errorf("what Print wrote is not understood: %v\n%s", err, again)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := config.Find(); err == nil || !strings.Contains(err.Error(), "-c") {
		t.Errorf("Find in an empty folder = %v, want a hint", err)
	}
	if err := os.WriteFile("durward.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Find(); got != "durward.yaml" || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := config.Parse("durward.yaml", []byte(example), env(someEnv)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAuditIsReadStrictly(t *testing.T) {
	c, err := config.Parse("durward.yaml", []byte(`
record:
  mode: must
  results: redacted
  rules: [{tools: ["crm__*"], arguments: full, class: patient}]
audit:
  origin: gw.example/audit
  checkpoint: {every: 2s, records: 100}
  publish: [{file: out/checkpoint}, {url: "https://notary.example/c", headers: {A: b}}]
  witnesses: [{url: "https://w.example/x", key: w+1+2}]
  export: [{name: siem, syslog: "tls://siem.example:6514"}, {name: lake, url: "https://lake.example", format: ocsf, batch: 10}]
  retention: {default: 400d, patient: 10y}
`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Audit
	if c.RecordMode != "must" || c.Results != "redacted" || len(c.RecordRules) != 1 || c.RecordRules[0].Class != "patient" || a.Records != 100 ||
		len(a.Publish) != 2 || len(a.Witnesses) != 1 || len(a.Export) != 2 || a.Export[0].Format != "cef" || a.Export[1].Format != "ocsf" ||
		a.Retention["default"] != 400*24*time.Hour || a.Retention["patient"] != 10*365*24*time.Hour {
		t.Errorf("read %+v", a)
	}
	for text, want := range map[string]string{
		"record: {mode: never}":                                                       "mode",
		"record: {rules: [{arguments: full}]}":                                        "tools",
		"audit: {publish: [{}]}":                                                      "file and url",
		"audit: {publish: [{file: a, url: 'https://b'}]}":                             "file and url",
		"audit: {witnesses: [{url: 'https://b'}]}":                                    "key",
		"audit: {export: [{name: a}]}":                                                "url and syslog",
		"audit: {export: [{url: 'https://b'}]}":                                       "name",
		"audit: {export: [{name: a, syslog: 'b:1'}]}":                                 "syslog",
		"audit: {export: [{name: a, url: 'https://b', format: xml}]}":                 "format",
		"audit: {export: [{name: a, url: 'https://b'}, {name: a, url: 'https://c'}]}": "twice",
		"audit: {retention: {default: 10 days}}":                                      "period",
		"audit: {origin: 'a b'}":                                                      "origin",
		"audit: {checkpoints: {}}":                                                    "checkpoint",
	} {
		if _, err := config.Parse("durward.yaml", []byte(text), config.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want to hear of %s", text, err, want)
		}
	}
}

func TestSeveralPeopleAreToBeDeclared(t *testing.T) {
	const file = "data: d\nadmin: {operators: {ann: {key: ann-key-0123456789abcdefgh}}}\napprovals: "
	for terms, want := range map[string][]string{
		"{need: 1}":                             nil,
		"{need: 2}":                             {"approvals.need"},
		"{four_eyes: true}":                     {"approvals.four_eyes"},
		"{four_eyes: true, approvers: [ann]}":   nil,
		"{need: 2, approvers: [ann, bob]}":      {"approvals.approvers[1]"},
		`{rules: [{tools: ["x__*"], need: 2}]}`: {"approvals.rules[0].need"},
		`{rules: [{tools: ["x__*"], approvers: [bob], four_eyes: true}]}`: {"approvals.rules[0].approvers[0]"},
	} {
		path := filepath.Join(t.TempDir(), "durward.yaml")
		if err := os.WriteFile(path, []byte(file+terms), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path, env(nil))
		if err != nil {
			t.Fatal(err)
		}
		var warned []string
		for _, w := range c.Warnings {
			warned = append(warned, w.Path)
		}
		if !reflect.DeepEqual(warned, want) {
			t.Errorf("%s: warned of %q, want %q", terms, warned, want)
		}
	}
}
