package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"durward/internal/config"
)

// bad are files and all that is to be said of them.
var bad = []struct {
	name, text string
	want       []string
	// beyond says that a schema cannot see it.
	beyond bool
}{
	{"an unknown key", "listen: 127.0.0.1:1\nlisten_on: x\n", []string{"2:1: listen_on: is an unknown key"}, false},
	{"a mistyped key", "upstreams:\n  crm:\n    ulr: https://x\n", []string{"2:3: upstreams.crm: has neither command nor url", "3:5: upstreams.crm.ulr: is an unknown key; did you mean url?"}, false},
	{"another mistyped key", "adimn: {}\n", []string{"1:1: adimn: is an unknown key; did you mean admin?"}, false},
	{"a key twice", "data: a\ndata: b\n", []string{"2:1: data: is there twice, first in line 1"}, true},
	{"an alias twice", "upstreams:\n  a: {command: x}\n  a: {command: y}\n", []string{"3:3: upstreams.a: is there twice, first in line 2"}, true},
	{"all problems at once", "listen: 5\nlog: {level: loud}\nroles: []\nnope: 1\n", []string{
		"1:9: listen: is a number, not text; put it in quotes",
		`2:14: log.level: "loud" is not known; use one of debug, info, warn, error`,
		"3:8: roles: is a list, not a mapping of keys to values",
		"4:1: nope: is an unknown key",
	}, false},
	{"a list in place of text", "listen: [a]\n", []string{"1:9: listen: is a list, not text"}, false},
	{"text in place of a list", "agents: {a: {roles: support}}\n", []string{"1:21: agents.a.roles: is text, not a list; write it as [a, b]"}, false},
	{"text in place of true", "force_anonymous: 'true'\n", []string{"1:18: force_anonymous: is text, not true or false"}, false},
	{"yes in place of true", "force_anonymous: yes\n", []string{"force_anonymous: is text, not true or false"}, false},
	{"a number that is no size", "limits: {body: 4 MB}\n", []string{`limits.body: "4 MB" is not a size; write it as 4MiB or 65536`}, false},
	{"a number without unit", "limits: {drain_timeout: 30}\n", []string{"limits.drain_timeout: is a number, not a duration; write its unit: 30s, 30m or 30h"}, false},
	{"a duration below zero", "limits: {drain_timeout: -30s}\n", []string{`limits.drain_timeout: "-30s" is not a duration`}, false},
	{"a duration of years", "limits: {drain_timeout: 100000h}\n", []string{`"100000h" is not between`}, true},
	{"a count of zero", "limits: {sessions: 0}\n", []string{"limits.sessions: \"0\" is not a number between"}, false},
	{"an address without port", "listen: localhost\n", []string{`listen: "localhost" is not host:port; write it as 127.0.0.1:8080`}, false},
	{"a port too high", "listen: localhost:70000\n", []string{"has a port above 65535"}, true},
	{"one address twice", "listen: 127.0.0.1:1\nadmin: {listen: 127.0.0.1:1}\n", []string{"2:9: admin.listen: is the same address as listen"}, true},
	{"an upstream of nothing", "upstreams: {a: {}}\n", []string{"upstreams.a: has neither command nor url"}, false},
	{"an upstream of both", "upstreams: {a: {command: x, url: 'http://y'}}\n", []string{"upstreams.a.url: is set besides command"}, false},
	{"a url that is none", "upstreams: {a: {url: crm.example}}\n", []string{"upstreams.a.url: is not an http or https URL; write it as https://host/path"}, false},
	{"a password in a url", "upstreams: {a: {url: 'https://me:s3cret@x'}}\n", []string{"upstreams.a.url: has a user or password in it; put credentials into headers"}, false},
	{"headers of a command", "upstreams: {a: {command: x, headers: {A: b}}}\n", []string{"upstreams.a.headers: needs url; use env for a server with a command"}, false},
	{"env of a url", "upstreams: {a: {url: 'http://x', env: {A: b}}}\n", []string{"upstreams.a.env: needs command; use headers"}, false},
	{"a header of ours", "upstreams: {a: {url: 'http://x', headers: {Content-Length: 1}}}\n", []string{"upstreams.a.headers.Content-Length: is written by the gateway"}, true},
	{"a header with a new line", "upstreams: {a: {url: 'http://x', headers: {A: \"b\\r\\nc\"}}}\n", []string{"upstreams.a.headers.A: has a value with control characters"}, true},
	{"types that disagree", "upstreams: {a: {url: 'http://x', type: sse, transport: http}}\n", []string{"upstreams.a.type: differs from transport"}, true},
	{"a type that does not fit", "upstreams: {a: {url: 'http://x', type: stdio}}\n", []string{"upstreams.a.type: stdio needs command, not url"}, false},
	{"an unknown era", "upstreams: {a: {url: 'http://x', era: modren}}\n", []string{`upstreams.a.era: "modren" is not known; did you mean modern?`}, false},
	{"a name with __", "upstreams: {a__b: {command: x}}\n", []string{`upstreams.a__b: an upstream name has no "__"`, "call it a_b"}, false},
	{"a name with a space", "upstreams: {my files: {command: x}}\n", []string{"call it my-files"}, false},
	{"names that differ in case", "upstreams: {crm: {command: x}, CRM: {command: y}}\n", []string{"upstreams.crm: has the name crm, which cannot be told apart from that of upstreams.CRM"}, true},
	{"names that differ in an _", "upstreams: {a: {command: x}, a_: {command: y}}\n", []string{"upstreams.a_: has the name a_"}, true},
	{"one name in two sections", "upstreams: {a: {command: x}}\nmcpServers: {a: {command: y}}\n", []string{"2:14: mcpServers.a: has the name a, which cannot be told apart from that of upstreams.a"}, true},
	{"a server without a name", "mcpServers: {'日本': {command: x}}\n", []string{"has a name without letters or digits"}, false},
	{"openapi", "upstreams: {a: {url: 'http://x', openapi: y}}\n", []string{"upstreams.a.openapi: is not available"}, false},
	{"a short key", "agents: {a: {key: tooshort}}\n", []string{"agents.a.key: has 8 characters, not 24 to 512"}, false},
	{"a short planted value", "guard: {honeytokens: tooshort1}\n", []string{"guard.honeytokens: has 9 characters, not 12 to 512"}, false},
	{"a planted word", "guard: {honeytokens: [canary-7f3a9c, customers-list]}\n", []string{"guard.honeytokens[1]: could be found in an ordinary text"}, true},
	{"a key with spaces", "agents: {a: {key: this key has spaces in it, alas}}\n", []string{"agents.a.key: has characters that are not visible ASCII"}, false},
	{"a key that is a number", "agents: {a: {key: 123456789012345678901234567890}}\n", []string{"agents.a.key: is a number, not text; put it in quotes"}, false},
	{"a key of two agents", "agents:\n  a: {key: 0123456789012345678901234x}\n  b: {key: 0123456789012345678901234x}\n", []string{"3:7: agents.b.key: is the same key as agents.a.key"}, true},
	{"a bad agent name", "agents: {a/b: {}}\n", []string{`agents.a/b: agent name "a/b" has '/'`}, false},
	{"agents that differ in case", "agents: {bot: {}, Bot: {}}\n", []string{"agents.bot: differs from agent Bot only in case"}, true},
	{"two anonymous agents", "agents: {a: {anonymous: true}, b: {anonymous: true}}\n", []string{"agents.b.anonymous: agent a is anonymous already"}, true},
	{"an anonymous agent for the world", "listen: 0.0.0.0:8080\nagents: {a: {anonymous: true}}\n", []string{"2:14: agents.a.anonymous: anybody who reaches 0.0.0.0:8080 could call"}, true},
	{"an anonymous agent and a public admin listener", "admin: {listen: ':8081'}\nagents: {a: {anonymous: true}}\n", []string{"anybody who reaches :8081 could call"}, true},
	{"an empty pattern", "roles: {r: {allow: ['']}}\n", []string{`roles.r.allow[0]: "" is not a pattern`}, false},
	{"a pattern of stars", "roles: {r: {allow: ['*a*b*c*d*e*f*g*h*i']}}\n", []string{"at most 8 stars"}, false},
	{"an unset variable", "agents: {a: {key: '${env:NOT_SET}'}}\n", []string{"1:19: agents.a.key: needs the environment variable NOT_SET, which is not set"}, true},
	{"an empty variable", "agents: {a: {key: '${env:EMPTY}'}}\n", []string{"needs the environment variable EMPTY, which is empty"}, true},
	{"a vault", "agents: {a: {key: '${vault:a/b#c}'}}\n", []string{"refers to a vault, which is not available yet; use ${env:NAME} or ${file:path}"}, false},
	{"a bare variable", "upstreams: {a: {command: x, env: {A: '${HOME}'}}}\n", []string{"upstreams.a.env.A: has an unknown reference ${HOME}; did you mean ${env:HOME}?"}, false},
	{"a variable with a default", "upstreams: {a: {command: x, env: {A: '${HOME:-/}'}}}\n", []string{"did you mean ${env:HOME}?"}, false},
	{"a reference that is not closed", "data: '${env:X'\n", []string{"data: has ${ without }"}, false},
	{"a VS Code input", "servers: {a: {url: 'http://x', headers: {A: '${input:token}'}}}\n", []string{"has an unknown reference ${input:token}"}, false},
	{"a guard mode", "guard: {mode: bloc}\n", []string{`guard.mode: "bloc" is not known; did you mean block?`}, false},
	{"an unknown key of the guard", "guard: {vectorz: {}}\n", []string{"guard.vectorz: is an unknown key; did you mean vectors?"}, false},
	{"a mode of a rule", "guard: {rules: {result.hidden: drop}}\n", []string{`guard.rules["result.hidden"]: "drop" is not known`}, false},
	{"a mode within a part", "guard: {tools: {\"crm__*\": {vectors: {injection: bloc}}}}\n", []string{`guard.tools.crm__*.vectors.injection: "bloc" is not known; did you mean block?`}, false},
	{"an effect", "guard: {tools: {\"crm__*\": {effect: send}}}\n", []string{`guard.tools.crm__*.effect: "send" is not known; did you mean sends?`}, false},
	{"a rate by day", "agents: {a: {limits: {rate: 60/day}}}\n", []string{`agents.a.limits.rate: "60/day" is not a rate; quota counts by day and month`}, false},
	{"a rate of nothing", "agents: {a: {limits: {rate: 0/m}}}\n", []string{`agents.a.limits.rate: "0/m" is not an amount in a time; write it as 60/m`}, true},
	{"a quota by hour", "roles: {r: {limits: {quota: 5/h}}}\n", []string{`roles.r.limits.quota: "5/h" is not a quota by day or month`}, false},
	{"a burst of no rate", "agents: {a: {limits: {burst: 5}}}\n", []string{"agents.a.limits.burst: is the burst of no rate"}, true},
	{"a limit of nothing", "limits: {rules: [{name: x, per: [agent]}]}\n", []string{"limits.rules[0]: limits nothing"}, true},
	{"a dimension", "limits: {rules: [{per: [agents], rate: 1/s}]}\n", []string{`limits.rules[0].per[0]: "agents" is not known; did you mean agent?`}, false},
	{"a limit twice", "limits: {rules: [{name: x, rate: 1/s}, {name: x, rate: 1/m}]}\n", []string{"limits.rules[1]: has the same name as limits.rules[0]"}, true},
	{"a share of nothing", "upstreams: {u: {command: x, limits: {share: 2}}}\n", []string{"upstreams.u.limits.share: is a share of nothing; give concurrency too"}, true},
	{"a zone", "limits: {zone: Mars/Olympus}\n", []string{`limits.zone: "Mars/Olympus" is not a time zone`}, true},
	{"a price", "limits: {prices: {\"crm__*\": -1}}\n", []string{`"-1" is not a number between 0 and 1000000`}, false},
	{"a runaway mode", "runaway: {mode: kill}\n", []string{`runaway.mode: "kill" is not known`}, false},
	{"a breaker", "upstreams: {u: {command: x, breaker: {percent: 120}}}\n", []string{"upstreams.u.breaker.percent: is more than 100"}, true},
	{"an origin with a path", "allowed_origins: ['https://x/y']\n", []string{`allowed_origins[0]: "https://x/y" is not an origin`}, false},
	{"a host with a port", "allowed_hosts: ['x:80']\n", []string{`allowed_hosts[0]: "x:80" is not a host name`}, false},
	{"a merge key", "agents:\n  a: &a {roles: [r]}\n  b:\n    <<: *a\n", []string{"4:5: agents.b: << is not supported; write the keys out"}, true},
	{"a second document", "data: a\n---\ndata: b\n", []string{"a second document begins here"}, true},
	{"text in place of the file", "hello\n", []string{"1:1: is text, not a mapping"}, false},
	{"a syntax error", "agents: {a: [}\n", []string{"durward.yaml:1:"}, true},
	{"a reference in braces", "agents:\n  a: {key: ${env:SUPPORT_BOT_KEY}}\n", []string{"durward.yaml:2:", `put ${...} in quotes: "${env:NAME}"`}, true},
	{"a tab", "agents:\n\ta: {}\n", []string{"durward.yaml:2:", "indent with spaces"}, true},
	{"bytes that are no text", "data: \xff\n", []string{"is not UTF-8"}, true},
	{"a custom tag", "data: !secret x\n", []string{"data: is of an unknown type, not text"}, true},
	{"an unknown alias", "data: *x\n", []string{"durward.yaml:1:"}, true},
	{"depth", strings.Repeat("[", 100), []string{"durward.yaml:1:"}, true},
}

func TestProblems(t *testing.T) {
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Parse("durward.yaml", []byte(tc.text), env(someEnv))
			var ps config.Problems
			if !errors.As(err, &ps) {
				t.Fatalf("Parse = %v, want Problems", err)
			}
			got := err.Error()
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("problems lack %q:\n%s", want, got)
				}
			}
			if len(tc.want) > 1 && strings.HasPrefix(tc.want[1], fmt.Sprint(ps[0].Line)) && len(ps) != len(tc.want) {
				t.Errorf("%d problems, want %d:\n%s", len(ps), len(tc.want), got)
			}
			for i := 1; i < len(ps); i++ {
				if ps[i].Line < ps[i-1].Line {
					t.Errorf("problems are not in the order of the file:\n%s", got)
				}
			}
			if strings.Contains(got, "s3cret") || strings.Contains(got, "t0ken") {
				t.Errorf("problems show a secret:\n%s", got)
			}
		})
	}
}

func TestValuesFromElsewhereAreNotShown(t *testing.T) {
	o := env(map[string]string{"X": "s3cret value that fits nowhere"})
	text := "listen: ${env:X}\ndata: ok\nadmin: {key: '${env:X}'}\nlog: {level: '${env:X}'}\nlimits: {body: '${env:X}', sessions: '${env:X}', idle_timeout: '${env:X}'}\n" +
		"force_anonymous: ${env:X}\nupstreams: {a: {url: '${env:X}'}}\nagents: {a: {roles: ['${env:X}']}}\nroles: {r: {allow: ['${env:X}']}}\nallowed_hosts: ['${env:X}']\n"
	_, err := config.Parse("durward.yaml", []byte(text), o)
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 10 {
		t.Fatalf("Parse = %v, want 10 problems", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a value of a variable is shown:\n%v", err)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "k%d: x\n", i)
	}
	_, err := config.Parse("durward.yaml", []byte(b.String()), env(nil))
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 100 {
		t.Errorf("%d problems, want 100", len(ps))
	}
}

func TestAliasesDoNotMultiply(t *testing.T) {
	text := "roles:\n  r0: &r {allow: &l [" + strings.Repeat("a, ", 1000) + "a]}\n"
	for i := range 500 {
		text += fmt.Sprintf("  r%d: *r\n", i+1)
	}
	_, err := config.Parse("durward.yaml", []byte(text), env(nil))
	if err == nil || !strings.Contains(err.Error(), "repeats too much") {
		t.Errorf("Parse = %v, want a refusal", err)
	}
}

func TestKeyCheckOfTheCaller(t *testing.T) {
	o := env(nil)
	o.CheckKey = func(string) error { return errors.New("checksum is wrong") }
	_, err := config.Parse("durward.yaml", []byte("agents: {a: {key: 0123456789012345678901234x}}"), o)
	if err == nil || !strings.Contains(err.Error(), "1:14: agents.a.key: checksum is wrong") {
		t.Errorf("Parse = %v", err)
	}
}
