package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"strings"
	"testing"
)

// Who is limited hears it in the headers of both ways to say no, in each era.
func TestLimitsAreToldInHeaders(t *testing.T) {
	h := open(t, mcpedge.Options{})
	session := h.session(t, "2025-11-25")
	for _, tool := range []string{"limited", "limited:error"} {
		body, hs := modern("7", "tools/call", `"name":"`+tool+`","arguments":{}`)
		for era, r := range map[string]reply{"modern": h.post(t, body, hs...), "legacy": h.post(t, call("7", tool), session)} {
			if got := r.Header.Get("Retry-After"); got != "12" {
				t.Errorf("%s, %s: Retry-After = %q, want 12", tool, era, got)
			}
			if got, want := r.Header.Get("RateLimit-Policy"), `"agent \"a\"";q=60;w=60, "at once";q=4;qu="concurrent-requests"`; got != want {
				t.Errorf("%s, %s: RateLimit-Policy = %s, want %s", tool, era, got, want)
			}
			if got, want := r.Header.Get("RateLimit"), `"agent \"a\"";r=3;t=57, "at once";r=1`; got != want {
				t.Errorf("%s, %s: RateLimit = %s, want %s", tool, era, got, want)
			}
			if r.StatusCode != 200 {
				t.Errorf("%s, %s: status %d: a client takes others for a broken connection", tool, era, r.StatusCode)
			}
			if tool == "limited:error" && !strings.Contains(r.body, `"error":{"code":429,"message":"Later.","data":{"reason":"rate_limited","retryAfterMs":11500}}`) {
				t.Errorf("%s: %s", era, r.body)
			}
		}
	}
}
