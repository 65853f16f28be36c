package config_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"durward/internal/config"
)

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("durward.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("durward.json")
	if err != nil {
		t.Fatalf("the schema does not compile: %v", err)
	}
	return s
}

// plain is YAML as the JSON that an editor's checker sees.
func plain(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := yaml.Load([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return toJSON(v)
}

func toJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = toJSON(v[k])
		}
		return v
	case map[any]any:
		out := map[string]any{}
		for k, x := range v {
			out[fmt.Sprint(k)] = toJSON(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = toJSON(v[i])
		}
		return v
	case int:
		return float64(v)
	}
	return v
}

var good = map[string]string{
	"the example":      example,
	"sections of none": "agents:\nroles:\nupstreams:\nlog:\n",
	"an agent of none": "agents: {a: , b: {roles: }}\n",
	"references": `
listen: ${env:HOST}:8080
force_anonymous: ${env:YES}
limits: {sessions: "${env:N}", body: "${env:SIZE}"}
log: {level: "${env:LEVEL}"}
agents: {a: {key: "${env:KEY}", roles: ["${env:ROLE}"]}}
upstreams: {a: {url: "https://${env:HOST}/mcp", headers: {A: "Bearer ${env:KEY}", B: "$${x}", C: "$5 $$"}}}
`,
	"kinds of values": `
upstreams:
  a: {command: x, args: [1, true, 1.5, "a"], env: {A: 1}, timeout: 1h2m3s}
  a_b-c: {url: "http://127.0.0.1:1/mcp", type: http, transport: http}
limits: {body: 1024, headers: 64KiB}
admin: {key: [x123456789012345678901234, abcdefghijklmnopqrstuvwxyz]}
`,
	"limits": `
limits:
  zone: Europe/London
  memory: 1GiB
  prices: {"crm__*": 0, "*": 3}
  rules:
    - {name: a, per: [key, agent, user, role], roles: [r], rate: 5/30s, burst: 2, quota: 10/month, bytes: 1GiB/day, budget: 5/h, concurrency: 3}
    - {upstreams: [u], tools: ["u__*"], agents: [a], rate: 1/h}
agents: {a: {limits: {rate: 60/m}, runaway: {mode: "off"}}}
roles: {r: {limits: {bytes: 1000/10s}}}
upstreams: {u: {command: x, limits: {concurrency: 4, share: 1}, connect_timeout: 5s, first_byte_timeout: 1m, breaker: {disabled: true, percent: 10, calls: 5, window: 1m, open: 2s}}}
mcpServers: {v: {command: x, limits: {rate: 1/s}}}
runaway: {mode: hold, window: 5m, same_call: 3, errors: 4, ping_pong: 5, fan_out: 6, spend: 7, novel: 8h, slow: 9s}
`,
	"client sections": `
mcpServers: {"my server": {httpUrl: "https://x", timeout: 5000, trust: true}, w: {serverUrl: "https://y", disabled: true}}
servers: {v: {type: stdio, command: x, cwd: /tmp}}
inputs: [{type: promptString}]
`,
}

func TestSchemaAcceptsWhatTheLoaderAccepts(t *testing.T) {
	s := schema(t)
	vars := env(map[string]string{
		"HOST": "127.0.0.1", "YES": "true", "N": "5", "SIZE": "1MiB", "LEVEL": "warn", "KEY": "0123456789012345678901234", "ROLE": "r",
		"CRM_TOKEN": "x", "SUPPORT_BOT_KEY": "0123456789012345678901234x",
	})
	for name, text := range good {
		if _, err := config.Parse("durward.yaml", []byte(text), vars); err != nil {
			t.Errorf("%s: the loader refuses it: %v", name, err)
		}
		if err := s.Validate(plain(t, text)); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	s := schema(t)
	for _, tc := range bad {
		if tc.beyond {
			continue
		}
		if s.Validate(plain(t, tc.text)) == nil {
			t.Errorf("%s: the schema accepts it", tc.name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range good {
		f.Add([]byte(text), false)
	}
	for _, tc := range bad {
		f.Add([]byte(tc.text), false)
	}
	f.Add([]byte(`{"agents": {"a": {"key": "${env:X}"}}, "x": [1, 2.5, null, {"y": "\ud83d"}]}`), true)
	s := schema(f)
	f.Fuzz(func(t *testing.T, raw []byte, json bool) {
		name := "durward.yaml"
		if json {
			name = "durward.json"
		}
		c, err := config.Parse(name, raw, env(nil))
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		if _, err := c.Print(); err != nil {
			t.Fatalf("Print: %v", err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if !json {
			err = yaml.Load(raw, &v)
			v = toJSON(v)
		}
		if err != nil || v == nil { // an empty file
			return
		}
		if err := s.Validate(v); err != nil {
			t.Fatalf("the loader accepts and the schema refuses: %v", err)
		}
	})
}
