package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The revisions with sessions, and the oldest, which has a transport of its own.
var (
	sessionRevisions = []string{"2025-11-25", "2025-06-18", "2025-03-26"}
	sseRevision      = "2024-11-05"
)

// eraTime is how long the greeting of one era may take.
const eraTime = 10 * time.Second

// eras greets as clients of each era do, and says which revision they would
// speak.
func (d *doctor) eras(ctx context.Context, c *client) {
	d.era(ctx, revision, "without a session", c.discover)
	for _, v := range sessionRevisions {
		d.era(ctx, v, "in a session", func(ctx context.Context) (string, error) { return c.initialize(ctx, v) })
	}
	at, ok := sseAddress(c.url)
	if !ok {
		return
	}
	d.era(ctx, sseRevision, "over HTTP+SSE, at "+at.Path, func(ctx context.Context) (string, error) { return c.initializeSSE(ctx, at, sseRevision) })
}

func (d *doctor) era(ctx context.Context, asked, how string, greet func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeout(ctx, eraTime)
	defer cancel()
	got, err := greet(ctx)
	switch {
	case err != nil:
		d.say(warns, "revisions", "", "a client of %s is not served: %v", asked, err)
	case got != asked:
		d.say(warns, "revisions", "", "a client of %s is answered with %s, %s; not every client accepts another", asked, got, how)
	default:
		d.say(fine, "revisions", "", "a client of %s speaks %s, %s", asked, got, how)
	}
}

func greeting(asked string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"durward-cli","version":%q}}}`, asked, version)
}

// discover is the greeting of a client without sessions.
func (c *client) discover(ctx context.Context) (string, error) {
	raw, err := c.do(ctx, request{method: "server/discover"})
	if err != nil {
		return "", err
	}
	var found struct {
		Versions []string `json:"supportedVersions"`
	}
	if err := json.Unmarshal(raw, &found); err != nil || !slices.Contains(found.Versions, revision) {
		return "", fmt.Errorf("%s is not among the revisions that are supported", revision)
	}
	return revision, nil
}

// initialize opens a session as a client of a revision, and ends it.
func (c *client) initialize(ctx context.Context, asked string) (string, error) {
	resp, err := c.post(ctx, c.url, greeting(asked))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	c.id = 1
	raw, err := c.answer(resp)
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		c.leave(ctx, id, asked)
	}
	if err != nil {
		return "", err
	}
	return negotiated(raw)
}

func (c *client) post(ctx context.Context, to, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", to, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	c.authorize(r)
	return c.http.Do(r)
}

func (c *client) authorize(r *http.Request) {
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
}

// leave ends a session; what a server says to that is its own affair.
func (c *client) leave(ctx context.Context, session, revision string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.url, nil)
	if err != nil {
		return
	}
	r.Header.Set("Mcp-Session-Id", session)
	r.Header.Set("MCP-Protocol-Version", revision)
	c.authorize(r)
	if resp, err := c.http.Do(r); err == nil {
		_ = resp.Body.Close()
	}
}

// negotiated is the revision that an InitializeResult names.
func negotiated(raw json.RawMessage) (string, error) {
	var r struct {
		Version string `json:"protocolVersion"`
	}
	if err := json.Unmarshal(raw, &r); err != nil || r.Version == "" {
		return "", errors.New("the answer names no revision")
	}
	return r.Version, nil
}

// sseAddress is where a gateway has HTTP+SSE, beside its endpoint /mcp; false
// for an address of another form.
func sseAddress(address string) (*url.URL, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, false
	}
	i := strings.LastIndex(u.Path, "/mcp")
	if i < 0 || len(u.Path) > i+4 && u.Path[i+4] != '/' {
		return nil, false
	}
	u.Path = u.Path[:i] + "/sse" + u.Path[i+4:]
	return u, true
}

// initializeSSE does the same on the stream of 2024-11-05, which ends with it.
func (c *client) initializeSSE(ctx context.Context, at *url.URL, asked string) (string, error) {
	resp, err := c.openSSE(ctx, at)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	next, stop := iter.Pull2(events(resp.Body))
	defer stop()
	data, err, ok := next()
	if err != nil || !ok {
		return "", errors.Join(errNoAnswer, err)
	}
	to, err := at.Parse(string(data))
	if err != nil || to.Host != at.Host || to.Scheme != at.Scheme { // a key goes where it was sent
		return "", errors.New("the endpoint that the stream names is elsewhere")
	}
	posted, err := c.post(ctx, to.String(), greeting(asked))
	if err != nil {
		return "", err
	}
	_ = posted.Body.Close()
	if posted.StatusCode/100 != 2 {
		return "", &httpError{status: posted.StatusCode}
	}
	for data, err, ok = next(); ok && err == nil; data, err, ok = next() {
		var m message
		if json.Unmarshal(data, &m) != nil || string(m.ID) != "1" {
			continue
		}
		raw, err := m.outcome()
		if err != nil {
			return "", err
		}
		return negotiated(raw)
	}
	return "", errors.Join(errNoAnswer, err)
}

func (c *client) openSSE(ctx context.Context, at *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", at, err)
	}
	r.Header.Set("Accept", "text/event-stream")
	c.authorize(r)
	resp, err := c.http.Do(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // the status says it too
	return nil, &httpError{resp.StatusCode, problemText(raw)}
}
