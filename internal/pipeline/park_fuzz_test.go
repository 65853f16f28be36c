package pipeline_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// FuzzRetry: whatever a client of 2026-07-28 comes back with to a call that
// waits for it, the upstream is called once and never again, what the client
// gets is JSON or a refusal, and the call can still be brought to its end.
func FuzzRetry(f *testing.F) {
	for _, responses := range []string{
		`{"q1":{"action":"accept"},"q2":{"action":"decline"}}`, `{"q1":{"action":"accept"}}`, `{}`, `{"q1":7}`, `{"q9":{}}`,
		`{"q2":{"content":{"n":12345678901234567890}},"\u0071":{}}`, ``,
	} {
		f.Add([]byte(responses), 0, byte(0))
		f.Add([]byte(responses), 9, byte(1))
	}
	f.Fuzz(func(t *testing.T, responses []byte, at int, flip byte) {
		if len(responses) > 0 && (mcpwire.Value(responses, mcpwire.Limits{}) != nil || !mcpwire.IsObject(responses)) {
			return // refused by the scanner
		}
		h, up := newAsking(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, state, err := h.leg(t, ctx, &listener{}, "")
		if err != nil {
			t.Fatal(err)
		}
		tampered := []byte(state)
		if at = 1 + max(at, -at)%(len(state)-2); flip != 0 && tampered[at]^flip > ' ' && tampered[at]^flip < 0x7f && !strings.ContainsRune(`"\`, rune(tampered[at]^flip)) {
			tampered[at] ^= flip
		}
		more := `,"requestState":` + string(tampered)
		if len(responses) > 0 {
			more += `,"inputResponses":` + string(responses)
		}
		reply, next, err := h.leg(t, ctx, &listener{}, more)
		switch refused := durward.AsError(err); {
		case err != nil && (refused.Code == durward.Internal || string(tampered) == state):
			t.Errorf("Serve with %s = %v", more, err)
		case err == nil && string(tampered) != state:
			t.Errorf("the state %s was taken for %s", tampered, state)
		case err == nil && (!json.Valid(reply.Result) || next == ""):
			t.Errorf("Serve with %s = %s", more, reply.Result)
		}
		if up.calls.Load() != 1 {
			t.Errorf("the upstream was called %d times", up.calls.Load())
		}
		if err != nil {
			next = state
		}
		for range 4 { // a client that means well comes to the end
			if next == "" {
				break
			}
			if reply, next, err = h.leg(t, ctx, &listener{}, `,"inputResponses":{"q1":{},"q2":{},"q3":{"roots":[]}},"requestState":`+next); err != nil {
				t.Fatalf("the last legs: %v", err)
			}
		}
		if next != "" || !strings.Contains(string(reply.Result), "heard") || up.calls.Load() != 1 || up.ended.Load() != 1 {
			t.Errorf("the call ended with %s; %d calls, %d ended", reply.Result, up.calls.Load(), up.ended.Load())
		}
	})
}
