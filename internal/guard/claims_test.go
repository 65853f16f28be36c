package guard_test

import (
	"encoding/json"
	"testing"

	"durward"
)

// A server's word that a tool only reads is a reason for care with its queries.
func TestQueriesOfWhatSaysThatItReads(t *testing.T) {
	const schema = `{"type":"object","properties":{"query":{"type":"string"}}}`
	def := func(about, hints string) *durward.Operation {
		raw := `{"name":"query","description":` + about + `,"annotations":` + hints + `,"inputSchema":` + schema + `}`
		return &durward.Operation{Kind: durward.KindTool, Upstream: "db", Name: "query", PolicyName: "db__query", Definition: []byte(raw), InputSchema: []byte(schema)}
	}
	said := def(`"Run a read-only SQL query."`, `{}`)
	hinted := def(`"Runs SQL."`, `{"readOnlyHint":true}`)
	open := def(`"Runs SQL."`, `{}`)
	plain := policy(t, durward.Guard{})
	writes := policy(t, durward.Guard{Tools: map[string]durward.GuardScope{"db__query": {Effect: "writes"}}})
	for _, sql := range []string{"DELETE FROM users", "TRUNCATE users", "DO $$ BEGIN DELETE FROM t; END $$", "COPY users TO '/tmp/x'", "SELECT load_extension('x')", "SELECT sys_exec('id')"} {
		raw, err := json.Marshal(map[string]string{"query": sql})
		if err != nil {
			t.Fatal(err)
		}
		for what, op := range map[string]*durward.Operation{"a description": said, "a hint": hinted} {
			if got := plain.Scope("a", op).Arguments(raw); got.Effect != durward.Deny {
				t.Errorf("%s says it reads, %s = %v %+v, want deny", what, sql, got.Effect, got.Findings)
			}
			if got := writes.Scope("a", op).Arguments(raw); sql == "TRUNCATE users" && got.Effect == durward.Deny {
				t.Errorf("the operator says that it writes, %s = %+v", sql, got.Findings)
			}
		}
		if got := plain.Scope("a", open).Arguments(raw); sql == "TRUNCATE users" && got.Effect == durward.Deny {
			t.Errorf("nobody says it reads, %s = %+v", sql, got.Findings)
		}
	}
	for _, query := range []string{"SELECT name FROM users WHERE id = 7", "delete users that are old", "project = X and status != Done"} {
		raw, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		if got := plain.Scope("a", hinted).Arguments(raw); got.Effect <= durward.Hold {
			t.Errorf("%s = %v %+v", query, got.Effect, got.Findings)
		}
	}
}
