package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"durward/internal/mcpwire"
)

// heard is what a client saw of one call.
type heard struct {
	ID       int  // of the script
	Shared   bool // with what still comes of calls that were given up
	Progress []int
	Logs     []string
	Asked    []string          // questions
	Answers  map[string]string // that it gave
	Refused  []string          // questions that it answered with an error
	Seen     string            // the answers as the server says it got them
	Text     string            // came back
	Number   string            // came back
	Err      *rpcError
	Resumed  int // times that it came back to the stream
}

// take takes a notification.
func (h *heard) take(m message, token string) error {
	var p struct {
		ProgressToken json.RawMessage
		Progress      int
		Level, Logger string
	}
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return err
	}
	foreign := m.Method == "notifications/progress" && string(p.ProgressToken) != token ||
		m.Method == "notifications/message" && p.Logger != fmt.Sprintf("s%d", h.ID)
	switch {
	case foreign && h.Shared:
		return nil
	case foreign:
		return fmt.Errorf("%s of another call than %d: %s", m.Method, h.ID, m.Params)
	}
	switch m.Method {
	case "notifications/progress":
		h.Progress = append(h.Progress, p.Progress)
	case "notifications/message":
		h.Logs = append(h.Logs, p.Level)
	}
	return nil
}

// asks takes a question and returns the answer, "" to refuse it.
func (h *heard) asks(method string, params []byte) string {
	q := readQuestion(method, params)
	h.Asked = append(h.Asked, q.key())
	a := q.answer()
	if a == "" {
		h.Refused = append(h.Refused, q.key())
	} else {
		h.Answers[q.key()] = compact([]byte(a))
	}
	return a
}

// ends takes the answer to the call.
func (h *heard) ends(m message) error {
	if h.Err = m.Error; h.Err != nil {
		return nil
	}
	var r struct {
		Content []struct{ Text string }
		Meta    map[string]json.RawMessage `json:"_meta"`
	}
	if err := json.Unmarshal(m.Result, &r); err != nil || len(r.Content) != 2 {
		return fmt.Errorf("result %s: %w", m.Result, err)
	}
	h.Seen, h.Text, h.Number = r.Content[0].Text, r.Content[1].Text, string(r.Meta["example.com/number"])
	return nil
}

// client is an agent over Streamable HTTP.
type client struct {
	t        *testing.T
	url      string
	revision string
	session  string  // "" on 2026-07-28
	level    string  // least level of log messages; "" never said
	breaks   bool    // it loses its connections now and then
	mute     bool    // it declares nothing
	line     *duplex // in place of Streamable HTTP
	work     sync.WaitGroup

	mu   sync.Mutex // guards what follows
	rand *rand.Rand
	ids  int
	last string // id of the last call
}

// cancel gives up the last call: with a message where there are sessions, by
// leaving where there are none.
func (c *client) cancel(leave func()) {
	if c.modern() && c.line == nil {
		leave()
		return
	}
	c.mu.Lock()
	id := c.last
	c.mu.Unlock()
	c.tell(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, id))
	if c.line != nil { // no answer will come
		leave()
	}
}

// tell sends what has no answer.
func (c *client) tell(msg string) {
	if c.line != nil {
		if err := c.line.send(msg); err != nil {
			c.t.Error(err)
		}
		return
	}
	if resp := c.send(context.Background(), msg, "", ""); resp != nil {
		c.drain(resp)
	}
}

func (c *client) modern() bool { return c.revision == "2026-07-28" }

func (c *client) chance(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n) == 0
}

// id is one of its own, a number or text.
func (c *client) id() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids++
	c.last = fmt.Sprint(c.ids)
	if c.ids%2 > 0 {
		c.last = fmt.Sprintf(`"cé-%d"`, c.ids)
	}
	return c.last
}

// capabilities are all that the revision has.
func (c *client) capabilities() string {
	switch {
	case c.mute:
		return `{}`
	case c.revision >= "2025-11-25":
		return `{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}`
	case c.revision == "2025-06-18":
		return `{"elicitation":{},"sampling":{},"roots":{}}`
	}
	return `{"sampling":{},"roots":{}}`
}

// kinds are the questions that it can be asked.
func (c *client) kinds() []string {
	switch {
	case c.revision >= "2025-11-25":
		return []string{form, url, sample, tools, roots}
	case c.revision == "2025-06-18":
		return []string{form, sample, roots}
	}
	return []string{sample, roots}
}

// connect begins a session where the revision has them.
func (c *client) connect() {
	c.t.Helper()
	if c.modern() {
		return
	}
	initialize := fmt.Sprintf(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"model","version":"1"}}}`, c.revision, c.capabilities())
	level := fmt.Sprintf(`{"jsonrpc":"2.0","id":"l","method":"logging/setLevel","params":{"level":%q}}`, c.level)
	c.request(initialize, `"i"`)
	c.tell(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	if c.level != "" {
		c.request(level, `"l"`)
	}
}

// request sends what has a plain answer.
func (c *client) request(msg, id string) {
	c.t.Helper()
	if c.line == nil {
		r := c.send(c.t.Context(), msg, "", "")
		c.session = cmp.Or(r.Header.Get("Mcp-Session-Id"), c.session)
		c.drain(r)
		return
	}
	c.tell(msg)
	if m, err := c.line.await(id); err != nil || m.Error != nil {
		c.t.Errorf("%s = %+v, %v", msg, m, err)
	}
}

func (c *client) drain(r *http.Response) {
	c.t.Helper()
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode/100 != 2 {
		c.t.Errorf("%s: %s, %v", r.Status, b, err)
	}
}

// send sends a message; nil when ctx ended before an answer began.
func (c *client) send(ctx context.Context, body, method, name string) *http.Response {
	return c.do(ctx, http.MethodPost, body, map[string]string{"Content-Type": "application/json", "Mcp-Method": method, "Mcp-Name": name})
}

func (c *client) do(ctx context.Context, verb, body string, header map[string]string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, verb, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return nil
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	if c.session != "" || c.modern() {
		r.Header.Set("Mcp-Protocol-Version", c.revision)
	}
	for k, v := range header {
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Errorf("%s: %v", verb, err)
		}
		return nil
	}
	return resp
}

// play has a script played and tells what it saw. When ctx ends, it lets the
// call be cancelled in the way of its era.
func (c *client) play(ctx context.Context, sc script) (heard, error) {
	h := heard{ID: sc.ID, Shared: c.line != nil, Answers: map[string]string{}}
	arguments, err := json.Marshal(sc)
	if err != nil {
		return h, err
	}
	extra := ""
	for range 40 {
		id, token := c.id(), fmt.Sprintf(`"t-%d"`, sc.ID)
		if sc.ID%2 == 0 {
			token = fmt.Sprint(sc.ID)
		}
		meta := `"progressToken":` + token
		if c.modern() {
			meta += `,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + c.capabilities()
			if c.level != "" {
				meta += fmt.Sprintf(`,"io.modelcontextprotocol/logLevel":%q`, c.level)
			}
		}
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"play","arguments":%s%s,"_meta":{%s}}}`, id, arguments, extra, meta)
		m, err := c.converse(ctx, body, id, token, &h)
		if err != nil {
			return h, err
		}
		if extra = c.retry(m, &h); extra == "" {
			return h, h.ends(m)
		}
	}
	return h, errors.New("asked for input without end")
}

// retry is what the next request of a call has to bring; "" when it has ended.
func (c *client) retry(m message, h *heard) string {
	var r struct {
		ResultType    string
		InputRequests map[string]message
		RequestState  json.RawMessage
	}
	if m.Result == nil || json.Unmarshal(m.Result, &r) != nil || r.ResultType != "input_required" {
		return ""
	}
	var answers []string
	for i, key := range slices.Sorted(maps.Keys(r.InputRequests)) {
		if i > 0 && c.chance(5) { // it may leave some for later
			continue
		}
		q := r.InputRequests[key]
		answers = append(answers, fmt.Sprintf("%q:%s", key, h.asks(q.Method, q.Params)))
	}
	return fmt.Sprintf(`,"inputResponses":{%s},"requestState":%s`, strings.Join(answers, ","), r.RequestState)
}

// converse sends a request and returns its answer. On the way it takes what
// else comes, and comes back to a stream that it lost.
func (c *client) converse(ctx context.Context, body, id, token string, h *heard) (message, error) {
	if c.line != nil {
		return c.line.converse(ctx, c, body, id, token, h)
	}
	place := ""
	for {
		m, last, err := c.attempt(ctx, body, place, id, token, h)
		if !errors.Is(err, errLost) {
			return m, err
		}
		place = last
		h.Resumed++
		time.Sleep(time.Millisecond)
	}
}

// attempt sends a request, or comes back to its stream, and reads on.
func (c *client) attempt(ctx context.Context, body, place, id, token string, h *heard) (message, string, error) {
	life, leave := context.WithCancel(ctx)
	defer leave()
	var resp *http.Response
	switch {
	case place != "":
		resp = c.do(life, http.MethodGet, "", map[string]string{"Last-Event-Id": place, "Accept": "text/event-stream"})
	case c.modern():
		resp = c.send(life, body, "tools/call", "play")
	default:
		resp = c.send(life, body, "", "")
	}
	if resp == nil {
		return message{}, place, fmt.Errorf("nothing came: %w", context.Cause(ctx))
	}
	defer resp.Body.Close()
	m, last, err := c.read(resp, id, token, h, c.breaks)
	if last == "" {
		last = place
	}
	return m, last, err
}

// errLost says that a connection was lost with a place to come back to.
var errLost = errors.New("the connection was lost")

func (c *client) read(resp *http.Response, id, token string, h *heard, breaks bool) (m message, place string, err error) {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		raw, err := io.ReadAll(resp.Body)
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			err = fmt.Errorf("%s %s: %w", resp.Status, raw, err)
		}
		return m, "", err
	}
	events := mcpwire.NewEventReader(resp.Body, 8<<20)
	for {
		e, err := events.Next()
		if err != nil {
			return m, place, fmt.Errorf("the stream ended without an answer: %w", err)
		}
		if e.ID != "" {
			place = e.ID
		}
		if len(e.Data) > 0 {
			m = message{}
			if err := json.Unmarshal(e.Data, &m); err != nil {
				return m, place, fmt.Errorf("event %s: %w", e.Data, err)
			}
			done, err := c.take(m, id, token, h)
			if done || err != nil {
				return m, place, err
			}
		}
		if breaks && place != "" && c.chance(4) {
			return m, place, errLost
		}
	}
}

// take takes one message of a call's stream; true for the answer.
func (c *client) take(m message, id, token string, h *heard) (bool, error) {
	switch {
	case m.Method == "" && string(m.ID) == id:
		return true, nil
	case m.Method == "":
		return false, fmt.Errorf("the answer to %s on the stream of %s", m.ID, id)
	case m.ID == nil:
		return false, h.take(m, token)
	case c.modern():
		return false, fmt.Errorf("a request of the server, %s", m.Method)
	}
	reply := `"result":` + h.asks(m.Method, m.Params)
	if reply == `"result":` {
		reply = `"error":{"code":-1,"message":"the user said no"}`
	}
	c.work.Go(func() { c.tell(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, m.ID, reply)) }) // in any order
	return false, nil
}
