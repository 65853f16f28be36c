package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	revision = "2026-07-28" // what the CLI speaks: one POST is a whole conversation
	metaKey  = "io.modelcontextprotocol/"

	maxReply = 64 << 20
	maxPages = 200
)

// client speaks MCP to a gateway as an agent.
type client struct {
	url  string
	key  string
	http *http.Client
	// caps are the capabilities that we declare; nil declares none.
	caps map[string]any
	// heard is called with each notification of a call; nil drops them.
	heard func(method string, params json.RawMessage)
	// missing are the upstreams that could not be asked for the last list.
	missing []unreached
	id      int
}

func newClient(url, key string) *client {
	return &client{url: url, key: key, http: &http.Client{
		Transport:     &http.Transport{ResponseHeaderTimeout: 10 * time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a key goes where it was sent
	}}
}

// rpcError is the JSON-RPC error of an answer.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

// reason is the stable code that a gateway adds to its refusals.
func (e *rpcError) reason() string {
	var d struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(e.Data, &d) // other data has no reason
	return d.Reason
}

// httpError is an answer that is no JSON-RPC.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string {
	text := fmt.Sprintf("HTTP %d %s", e.status, http.StatusText(e.status))
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

// request is one call of a method; params never holds "_meta".
type request struct {
	method  string
	name    string // Mcp-Name, if the method has one
	params  map[string]any
	headers map[string]string // Mcp-Param-*
	log     string            // level of log messages that are wanted, "" for none
	once    string            // idempotency key, "" for none
}

// do sends a request and waits for its result.
func (c *client) do(ctx context.Context, r request) (json.RawMessage, error) {
	c.id++
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.id, "method": r.method, "params": c.params(r)})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", c.url, err)
	}
	c.header(req, r)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the gateway: %w", err)
	}
	defer resp.Body.Close()
	return c.answer(resp)
}

func (c *client) params(r request) map[string]any {
	caps := c.caps
	if caps == nil {
		caps = map[string]any{}
	}
	meta := map[string]any{
		metaKey + "protocolVersion": revision, metaKey + "clientCapabilities": caps,
		metaKey + "clientInfo": map[string]string{"name": "durward-cli", "version": version},
	}
	if c.heard != nil {
		meta["progressToken"] = c.id
	}
	if r.log != "" {
		meta[metaKey+"logLevel"] = r.log
	}
	if r.once != "" {
		meta["durward/idempotencyKey"] = r.once
	}
	params := map[string]any{"_meta": meta}
	for k, v := range r.params {
		params[k] = v
	}
	return params
}

func (c *client) header(req *http.Request, r request) {
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json, text/event-stream")
	h.Set("MCP-Protocol-Version", revision)
	h.Set("Mcp-Method", r.method)
	if r.name != "" {
		h.Set("Mcp-Name", headerValue(r.name))
	}
	for k, v := range r.headers {
		h.Set(k, headerValue(v))
	}
	if c.key != "" {
		h.Set("Authorization", "Bearer "+c.key)
	}
}

// headerValue writes a value as MCP 2026-07-28 wants it in a header: as it is
// when it is visible ASCII, else as base64 in a sentinel.
func headerValue(v string) string {
	plain := v == strings.TrimSpace(v) && !strings.HasPrefix(v, "=?base64?")
	for i := range len(v) {
		plain = plain && v[i] >= ' ' && v[i] < 0x7f
	}
	if plain {
		return v
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(v)) + "?="
}

// answer reads the result out of a response, whatever its form.
func (c *client) answer(resp *http.Response) (json.RawMessage, error) {
	body := io.LimitReader(resp.Body, maxReply)
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if kind == "text/event-stream" && resp.StatusCode == http.StatusOK {
		return c.stream(body)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var m message
	if err := json.Unmarshal(raw, &m); err == nil && (m.Error != nil || m.Result != nil) && resp.StatusCode != http.StatusUnauthorized {
		return m.outcome()
	}
	return nil, &httpError{resp.StatusCode, problemText(raw)}
}

func (m *message) outcome() (json.RawMessage, error) {
	if m.Error != nil {
		return nil, m.Error
	}
	return m.Result, nil
}

// problemText is the sentence in an answer for readers of HTTP.
func problemText(raw []byte) string {
	var p struct {
		Detail string    `json:"detail"`
		Title  string    `json:"title"`
		Error  *rpcError `json:"error"`
	}
	switch err := json.Unmarshal(raw, &p); {
	case err == nil && p.Error != nil:
		return p.Error.Message
	case err == nil && p.Detail != "":
		return p.Detail
	case err == nil:
		return p.Title
	}
	return cut(oneLine(string(raw[:min(len(raw), 400)])), 200)
}

var errNoAnswer = errors.New("the connection ended before the answer")

// stream reads events up to the answer and passes notifications on.
func (c *client) stream(body io.Reader) (json.RawMessage, error) {
	for data, err := range events(body) {
		if err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		var m message
		if json.Unmarshal(data, &m) != nil {
			return nil, errors.New("the gateway sent something that is no JSON-RPC")
		}
		switch {
		case m.Method != "" && c.heard != nil:
			c.heard(m.Method, m.Params)
		case m.Method == "" && string(m.ID) == strconv.Itoa(c.id):
			return m.outcome()
		}
	}
	return nil, errNoAnswer
}

// tool is what the CLI needs of a tool's definition.
type tool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
	Annotations  struct {
		ReadOnly    bool  `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
	} `json:"annotations"`
	raw json.RawMessage
}

// readTool understands what it can of a definition.
func readTool(raw json.RawMessage) tool {
	t := tool{raw: raw}
	_ = json.Unmarshal(raw, &t) // a tool of an odd shape is still listed
	return t
}

// unreached is an upstream that a gateway could not ask.
type unreached struct {
	Upstream string `json:"upstream"`
	Reason   string `json:"reason"`
}

// tools lists all tools that the agent sees.
func (c *client) tools(ctx context.Context) ([]tool, error) {
	var all []tool
	params := map[string]any{}
	for range maxPages {
		raw, err := c.do(ctx, request{method: "tools/list", params: params})
		if err != nil {
			return nil, err
		}
		var page struct {
			Tools []json.RawMessage `json:"tools"`
			Next  *string           `json:"nextCursor"`
			Meta  struct {
				Missing []unreached `json:"durward/unavailable"`
			} `json:"_meta"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("read the list of tools: %w", err)
		}
		for _, item := range page.Tools {
			all = append(all, readTool(item))
		}
		c.missing = page.Meta.Missing
		if page.Next == nil {
			return all, nil
		}
		params["cursor"] = *page.Next
	}
	return nil, fmt.Errorf("the list of tools does not end after %d pages", maxPages)
}
