package model

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newer is a server of 2026-07-28: it keeps nothing of a client.
type newer struct{ *stage }

func newNewer(t *testing.T, s *stage) string {
	n := &newer{s}
	srv := httptest.NewServer(http.HandlerFunc(n.serve))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mcp"
}

const serverMeta = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"newer","version":"1"}}`

func (n *newer) serve(w http.ResponseWriter, r *http.Request) {
	var m message
	raw, err := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || err != nil || json.Unmarshal(raw, &m) != nil || m.ID == nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	n.take(r.Context(), m, &eventStream{w: w, whole: m.Method != "tools/call"})
}

// take takes one request; what it has to say goes to out.
func (n *newer) take(ctx context.Context, m message, out sender) {
	switch m.Method {
	case "server/discover":
		reply(out, m.ID, `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"logging":{}},"ttlMs":60000,"cacheScope":"private",`+serverMeta+`}`)
	case "tools/list":
		reply(out, m.ID, `{"resultType":"complete","tools":[`+tool+`],"ttlMs":60000,"cacheScope":"private",`+serverMeta+`}`)
	case "tools/call":
		n.call(ctx, m, out)
	default:
		if e, ok := out.(*eventStream); ok {
			e.w.Header().Set("Content-Type", "application/json")
			e.w.WriteHeader(http.StatusNotFound)
		}
		unknown(out, m.ID)
	}
}

// state is what the client carries between two requests of a call.
type state struct {
	Step    int
	Answers map[string]string
}

// call runs a script as far as it goes. A connection that closes cancels it.
func (n *newer) call(ctx context.Context, m message, out sender) {
	var p called
	if err := json.Unmarshal(m.Params, &p); err != nil {
		panic(err) // the gateway broke what the client sent
	}
	c := &newerCaller{out: out, given: p.InputResponses, level: p.Meta.Level}
	if p.RequestState != "" {
		raw, err := base64.StdEncoding.DecodeString(p.RequestState)
		if err != nil || json.Unmarshal(raw, &c.state) != nil {
			panic("the state did not come back as it was")
		}
		c.again = true
	} else {
		n.begins(p.Arguments)
	}
	result, err := n.play(ctx, p.Arguments, c.state.Step, p.Meta.Token, c)
	switch {
	case errors.Is(err, errWaits):
		reply(out, m.ID, c.waits(err))
	case err == nil:
		result = strings.Replace(result, `{`, `{"resultType":"complete",`, 1)
		reply(out, m.ID, result)
	}
}

// newerCaller is the client on the stream of one request.
type newerCaller struct {
	out   sender
	state state
	again bool // the request brings answers
	given map[string]json.RawMessage
	lacks []question
	level string // least level of log messages; "" for none
}

func (c *newerCaller) notify(method, params string) {
	var p struct{ Level string }
	if _ = json.Unmarshal([]byte(params), &p); p.Level != "" && (c.level == "" || !hears(p.Level, c.level)) {
		return
	}
	c.out.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s}`, method, params))
}

// ask finds the answers that the request brought, and waits for those it lacks.
func (c *newerCaller) ask(_ context.Context, qs []question) (map[string]string, error) {
	out := map[string]string{}
	c.lacks = nil
	for _, q := range qs {
		if a, ok := c.state.Answers[q.key()]; ok {
			out[q.key()] = a
		} else if raw, ok := c.given[q.key()]; ok && c.again {
			out[q.key()] = compact(raw)
		} else {
			c.lacks = append(c.lacks, q)
		}
	}
	c.again = false // what it brought is for this step
	if len(c.lacks) == 0 {
		c.state.Answers = nil
		return out, nil
	}
	c.state.Answers = out
	return out, errWaits
}

// waits is the result that asks for what is lacking.
func (c *newerCaller) waits(err error) string {
	_, _ = fmt.Sscanf(err.Error(), "step %d:", &c.state.Step)
	raw, merr := json.Marshal(c.state)
	if merr != nil {
		panic(merr)
	}
	var requests []string
	for _, q := range c.lacks {
		requests = append(requests, fmt.Sprintf(`%q:{"method":%q,"params":%s}`, q.key(), q.method(), q.params("2026-07-28")))
	}
	return fmt.Sprintf(`{"resultType":"input_required","inputRequests":{%s},"requestState":%q}`, strings.Join(requests, ","), base64.StdEncoding.EncodeToString(raw))
}
