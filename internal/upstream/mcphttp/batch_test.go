package mcphttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
)

// streaming is a server of a revision that answers each call with events of
// its own and leaves the stream open.
func streaming(t *testing.T, revision string, events ...string) mcphttp.Endpoint {
	return endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := mcpwire.Scan(body, mcpwire.Limits{})
		switch {
		case err != nil:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case m.Method == mcpwire.MethodInitialize:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(mcpwire.AppendResult(nil, m.ID, fmt.Appendf(nil, `{"protocolVersion":%q,"capabilities":{},"serverInfo":{"name":"s","version":"1"}}`, revision)))
		case m.Kind == mcpwire.Request:
			w.Header().Set("Content-Type", "text/event-stream")
			for _, e := range events {
				fmt.Fprintf(w, "data: "+e+"\n\n", json.RawMessage(m.ID))
			}
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}))
}

// A server of 2025-03-26 may send several messages in one event.
func TestABatchInAnEvent(t *testing.T) {
	const good, bad = `{"jsonrpc":"2.0","id":%s,"result":{"fine":true}}`, `{"jsonrpc":"2.0","id":%s,"result":{},"error":{"code":1,"message":"x"}}`
	const news = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`
	for name, c := range map[string]struct {
		revision, event string
		kind            link.Kind // that ends the call
		fine            bool
	}{
		"the answer among others":         {mcpwire.V20250326, "[" + news + "," + good + "]", 0, true},
		"a bad one before":                {mcpwire.V20250326, `[5,{"jsonrpc":"1.0"},` + good + "]", 0, true},
		"a bad answer":                    {mcpwire.V20250326, "[" + news + "," + bad + "]", link.Garbled, false},
		"a bad answer by itself":          {mcpwire.V20250326, bad, link.Garbled, false},
		"a bad answer of a later era":     {mcpwire.V20251125, bad, link.Garbled, false},
		"a bad message of no id, then it": {mcpwire.V20251125, `{"jsonrpc":"1.0"}` + "\n\ndata: " + good, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &ids{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			l, err := mcphttp.OpenLegacy(ctx, streaming(t, c.revision, c.event), options(n, false))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close(ctx)
			a, err := l.Do(ctx, &link.Call{ID: n.next(), Method: "tools/call"})
			if c.fine && (err != nil || string(a.Result) != `{"fine":true}`) {
				t.Errorf("Do = %s %v, want the answer", a.Result, err)
			}
			if kind, ok := link.KindOf(err); !c.fine && (!ok || kind != c.kind) {
				t.Errorf("Do = %s %v, want it ended at once", a.Result, err)
			}
		})
	}
}
