package edge_test

import (
	"durward/internal/edge"
	"strings"
	"testing"
)

func TestLoops(t *testing.T) {
	_, m, url := serve(t, edge.Options{Instance: "ME"}, "127.0.0.1:0")
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		via     string
	}{
		{"no gateway before", nil, 200, ""},
		{"others before", []string{"Durward-Via: A, B"}, 200, "A, B"},
		{"others, in two headers", []string{"Durward-Via: A", "Durward-Via: B"}, 200, "A, B"},
		{"eight others", []string{"Durward-Via: 1,2,3,4,5,6,7,8"}, 200, "1,2,3,4,5,6,7,8"},
		{"nine others", []string{"Durward-Via: 1,2,3,4,5,6,7,8,9"}, 508, ""},
		{"names without end", []string{"Durward-Via: " + strings.Repeat("x", 600)}, 508, ""},
		{"this one", []string{"Durward-Via: ME"}, 508, ""},
		{"this one and others", []string{"Durward-Via: A,ME ,B"}, 508, ""},
		{"this one in a second header", []string{"Durward-Via: A", "Durward-Via: ME"}, 508, ""},
		{"nearly this one", []string{"Durward-Via: ME2"}, 200, "ME2"},
	} {
		r := get(t, "POST", url+"/mcp/via", c.headers...)
		if r.StatusCode != c.status || c.status == 200 && r.body != c.via {
			t.Errorf("%s = %d %s, want %d %s", c.name, r.StatusCode, r.body, c.status, c.via)
		}
		if c.status == 200 {
			continue
		}
		if len(m.refused) != 1 || (<-m.refused).Reason != "loop_detected" || !strings.Contains(r.body, "loop_detected") {
			t.Errorf("%s: not refused as a loop: %s", c.name, r.body)
		}
	}
}
