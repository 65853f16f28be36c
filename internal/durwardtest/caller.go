package durwardtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Caller speaks to an endpoint by hand, so that it can also speak badly.
type Caller struct {
	URL    string
	Key    string            // sent as a bearer; "" sends none
	Header map[string]string // beside and instead of what is sent anyway; "" removes
}

// Answer is what came back: the last JSON-RPC message when it was a stream.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    json.RawMessage
	}
}

// String is for failures.
func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Code is the JSON-RPC error code, 0 for none.
func (a Answer) Code() int {
	if a.Error == nil {
		return 0
	}
	return a.Error.Code
}

// Text is the first text block of a tool's result; isError is its flag.
func (a Answer) Text() (text string, isError bool) {
	var r struct {
		Content []struct{ Text string }
		IsError bool
	}
	_ = json.Unmarshal(a.Result, &r)
	if len(r.Content) > 0 {
		text = r.Content[0].Text
	}
	return text, r.IsError
}

// ModernVersion is the stateless revision.
const ModernVersion = "2026-07-28"

// Modern builds the body and headers of a request of the stateless revision.
// params is a JSON object; name goes into Mcp-Name.
func Modern(id, method, name, params string) (body string, header map[string]string) {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + ModernVersion + `","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"by-hand","version":"1"}}`
	params = strings.TrimSuffix(strings.TrimSpace(params), "}")
	if strings.TrimSpace(params) != "{" {
		params += ","
	}
	header = map[string]string{"Mcp-Protocol-Version": ModernVersion, "Mcp-Method": method}
	if name != "" {
		header["Mcp-Name"] = name
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params+meta+"}"), header
}

// Call calls a tool in the stateless revision; args is a JSON object.
func (c Caller) Call(t testing.TB, tool, args string) Answer {
	t.Helper()
	body, header := Modern("1", "tools/call", tool, fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, args))
	return c.Post(t, body, header)
}

// Post sends a body as it is. The caller's own headers win over header.
func (c Caller) Post(t testing.TB, body string, header map[string]string) Answer {
	t.Helper()
	a, err := c.Try(t.Context(), body, header)
	if err != nil {
		t.Fatalf("post %.200s: %v", body, err)
	}
	return a
}

// Try is Post for when no answer may come.
func (c Caller) Try(ctx context.Context, body string, header map[string]string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, strings.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make the request: %w", err)
	}
	c.dress(r, header)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answerOf(res, raw), nil
}

func (c Caller) dress(r *http.Request, header map[string]string) {
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.Key != "" {
		r.Header.Set("Authorization", "Bearer "+c.Key)
	}
	for _, h := range []map[string]string{header, c.Header} {
		for k, v := range h {
			if v == "" {
				r.Header.Del(k)
			} else {
				r.Header.Set(k, v)
			}
		}
	}
}

func answerOf(res *http.Response, raw []byte) Answer {
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: string(raw)}
	message := raw
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "text/event-stream" {
		message = nil
		for event := range bytes.SplitSeq(raw, []byte("\n\n")) {
			if _, data, ok := bytes.Cut(event, []byte("data:")); ok {
				message = data
			}
		}
	}
	_ = json.Unmarshal(message, &a)
	return a
}

// Session is a legacy session that is spoken by hand.
type Session struct {
	Caller
	ID      string
	Version string
	next    int
}

// Open initializes a legacy session of the given revision.
func (c Caller) Open(t testing.TB, version string) *Session {
	t.Helper()
	a := c.Post(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"by-hand","version":"1"}}}`, version), nil)
	if a.Status != http.StatusOK || a.Result == nil {
		t.Fatalf("initialize = %v", a)
	}
	s := &Session{Caller: c, ID: a.Header.Get("Mcp-Session-Id"), Version: version}
	if got := s.Post(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`); got.Status != http.StatusAccepted {
		t.Fatalf("initialized = %v", got)
	}
	return s
}

// Post sends a body within the session.
func (s *Session) Post(t testing.TB, body string) Answer {
	t.Helper()
	return s.Caller.Post(t, body, s.Headers())
}

// Headers are those of each request of the session.
func (s *Session) Headers() map[string]string {
	return map[string]string{"Mcp-Session-Id": s.ID, "Mcp-Protocol-Version": s.Version}
}

// Call calls a tool within the session.
func (s *Session) Call(t testing.TB, tool, args string) Answer {
	t.Helper()
	s.next++
	return s.Post(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, s.next, tool, args))
}
