package upstream_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"durward"
	"durward/internal/upstream"
)

// The agent hears what it can act on, the log says why; a server that fails
// every call does not fill it.
func TestWhyACallFailedIsTold(t *testing.T) {
	for status, want := range map[int]struct{ agent, log string }{
		307: {"redirects elsewhere (HTTP 307), which is never followed", `HTTP 307: the server redirects to \"http://secret.example/here\"`},
		500: {"answered with HTTP 500. Whether the call had an effect is not known", `err="HTTP 500"`},
	} {
		h := streamable(kit(), true)
		url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if bytes.Contains(body, []byte(`"tools/call"`)) {
				w.Header().Set("Location", "http://user:pass@secret.example/here?code=words")
				w.WriteHeader(status)
				if status == 500 {
					_, _ = io.WriteString(w, "words of its own")
				}
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			h.ServeHTTP(w, r)
		}))
		log := &notes{}
		s := newSet(t, func(o *upstream.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) }, durward.Upstream{Name: "up", URL: url})
		for range 4 { // then the breaker opens
			_, err := s.Do(brief(t), modernAgent.request(t, "up", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`), &peer{})
			if err == nil || !strings.Contains(err.Error(), want.agent) || strings.Contains(durward.AsError(err).Message, "secret") || strings.Contains(durward.AsError(err).Message, "words") {
				t.Fatalf("%d: the agent hears %v, want %q", status, err, want.agent)
			}
		}
		if lines := log.count("upstream failed a call"); lines == 0 || lines > 2 || log.count(want.log) == 0 || log.count("words") != 0 {
			t.Errorf("%d: the log has %d lines of 4 calls, want few, one of them with %q:\n%s", status, lines, want.log, log.b.String())
		}
	}
}
