package boot

import (
	"encoding/json"
	"testing"

	"durward"
	"durward/internal/config"
	"durward/internal/mcpwire"
)

// Simulate reads a folder of records; what it makes of one is seen here only.
func TestReplayBySameConfigurationChangesNothing(t *testing.T) {
	cfg, err := config.Parse("d.yaml", []byte(`
upstreams: {h: {command: x}}
agents: {a: {key: writer-key-0123456789abcdef, roles: [all]}}
roles: {all: {allow: ["h__*"], deny: [h__drop]}}
`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	trial, err := NewTrial(cfg, TrialOptions{Unpinned: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"send", "drop"} {
		trial.Define("h", "tool", toolAs(name, nil))
	}
	if err := trial.Load(); err != nil {
		t.Fatal(err)
	}
	full := durward.Record{Args: json.RawMessage(`{}`), ArgsSHA256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
	digest := durward.Record{ArgsSHA256: full.ArgsSHA256}
	for _, c := range []struct {
		name, tool, verdict, rule string
		reason                    durward.Reason
		kept                      durward.Record
		unsure, changed           int
	}{
		{"held by the guard", "send", "hold", "guard arguments.script", durward.ReasonApprovalRequired, digest, 1, 0},
		{"held by the guard for what is known", "send", "hold", "guard arguments.script", durward.ReasonApprovalRequired, full, 0, 1},
		{"held for what was read before", "send", "hold", "guard flow.untrusted", durward.ReasonApprovalRequired, full, 1, 0},
		{"held by a condition", "send", "hold", "policy big", durward.ReasonApprovalRequired, digest, 1, 0},
		{"held by a role", "send", "hold", "role all: hold h__send", durward.ReasonApprovalRequired, digest, 0, 1},
		{"blocked by the guard", "send", "deny", "guard arguments.command", durward.ReasonGuardBlocked, digest, 1, 0},
		{"flagged", "send", "flag", "guard arguments.type", durward.ReasonGuardFlagged, digest, 1, 0},
		{"an answer that was cut", "send", "redact", "guard result.instruction", durward.ReasonGuardRedacted, full, 1, 0},
		{"another definition", "send", "deny", "", durward.ReasonDefinitionChanged, digest, 1, 0},
		{"a poisoned definition", "send", "deny", "", durward.ReasonDefinitionPoisoned, full, 1, 0},
		{"nobody approved it", "send", "deny", "", durward.ReasonDefinitionUnapproved, full, 1, 0},
		{"held by the guard, now denied", "drop", "hold", "guard arguments.script", durward.ReasonApprovalRequired, digest, 0, 1},
		{"denied by a role that allows", "send", "deny", "role all: deny h__send", durward.ReasonRuleDenies, digest, 0, 1},
	} {
		r := c.kept
		r.Agent, r.Method, r.Asked, r.Upstream, r.Tool = "a", mcpwire.MethodToolsCall, "h__"+c.tool, "h", c.tool
		r.Verdict, r.Rule, r.Reason = c.verdict, c.rule, c.reason
		s := &Simulation{}
		if err := s.replay(t.Context(), trial, &r); err != nil {
			t.Fatal(err)
		}
		if s.Unsure != c.unsure || s.Changed != c.changed || s.Calls != 1 {
			t.Errorf("%s: unsure %d, changed %v; want %d, %d", c.name, s.Unsure, s.Changes, c.unsure, c.changed)
		}
	}
}
