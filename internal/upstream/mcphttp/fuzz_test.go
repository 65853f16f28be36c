package mcphttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
)

// easy is the peer of a call, and answers every question.
type easy struct{ t *testing.T }

func (p easy) Notify(method string, params []byte) {
	if params != nil && !json.Valid(params) {
		p.t.Errorf("%s with %q", method, params)
	}
}

func (p easy) Ask(_ context.Context, method string, params []byte) ([]byte, error) {
	p.Notify(method, params)
	return []byte(`{"action":"decline"}`), nil
}

var _ durward.Peer = easy{}

// FuzzAnswers: whatever a server of any era answers to a call, as a whole or
// in a stream, the call ends with an answer that is JSON or with an error, and
// so does the connection.
func FuzzAnswers(f *testing.F) {
	result := `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"x"}]}}`
	question := `{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}`
	for _, s := range []string{
		result, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"uri":"u"}}}`, `{"jsonrpc":"2.0","id":"7","result":{}}`, `[` + result + `]`,
		"event: message\ndata: " + question + "\n\n: ping\n\ndata: " + result + "\n\n",
		"id: s-0\ndata: \n\nretry: 1\n\nid: s-1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":7,\"progress\":1}}\n\ndata: " + result + "\n\n",
		"data: " + question + "\ndata:\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"q\"}}\r\n\r\ndata: " + result + "\r\r",
		`{"jsonrpc":"2.0","id":7,"result":{"resultType":"input_required","inputRequests":{}}}`, `{"half":`, "\xff\xfe", ``, "data: {}\n\n", "event: endpoint\ndata: /other\n\n",
	} {
		for kind := range byte(6) {
			f.Add([]byte(s), kind)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, kind byte) {
		era, stream := kind%3, kind/3%2 == 1
		answer := func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", map[bool]string{true: "text/event-stream", false: "application/json"}[stream])
			_, _ = w.Write(raw) // who left does not hear
		}
		var h http.Handler = &session{calls: func(w http.ResponseWriter, _ *http.Request, m *mcpwire.Message) {
			if m.Kind == mcpwire.Request {
				answer(w)
			}
		}}
		switch era {
		case 1:
			h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) })
		case 2:
			h = &streamed{raw: raw, out: make(chan []byte, 4)}
		}
		conn, err := converse(brief(t), endpoint(t, h), era)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		a, err := conn.Do(ctx, &link.Call{ID: 7, Method: mcpwire.MethodToolsCall, Params: mcpwire.Whole([]byte(`{"name":"x"}`)), Progress: []byte(`"p"`), Peer: easy{t}})
		switch {
		case err != nil:
		case a.Error == nil && !json.Valid(a.Result):
			t.Errorf("%q was taken for the result %q", raw, a.Result)
		case a.Error != nil && a.Error.Data != nil && !json.Valid(a.Error.Data):
			t.Errorf("%q was taken for the error %+v", raw, a.Error)
		}
	})
}

func converse(ctx context.Context, e mcphttp.Endpoint, era byte) (link.Conn, error) {
	switch era {
	case 0:
		return mcphttp.OpenLegacy(ctx, e, options(&ids{}, false))
	case 1:
		return mcphttp.NewModern(e, nil), nil
	}
	return mcphttp.OpenSSE(ctx, e, options(&ids{}, false))
}

// streamed is a server of 2024-11-05 that greets, and then says what it says.
type streamed struct {
	raw []byte
	out chan []byte
}

func (s *streamed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		events(w, "event: endpoint\ndata: /post\n\n")
		for {
			select {
			case said := <-s.out:
				events(w, string(said))
			case <-r.Context().Done():
				return
			}
		}
	}
	body, _ := io.ReadAll(r.Body)
	m, _ := mcpwire.Scan(body, mcpwire.Limits{})
	w.WriteHeader(http.StatusAccepted)
	switch m.Method {
	case mcpwire.MethodInitialize:
		s.out <- fmt.Appendf(nil, "data: %s\n\n", mcpwire.AppendResult(nil, m.ID, []byte(`{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)))
	case mcpwire.MethodToolsCall:
		s.out <- append(s.raw, "\n\n"...)
	}
}
