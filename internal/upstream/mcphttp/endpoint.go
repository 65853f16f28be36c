package mcphttp

import (
	"context"
	"durward"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	mediaJSON   = "application/json"
	mediaEvents = "text/event-stream"
	acceptBoth  = mediaJSON + ", " + mediaEvents
)

// headerVia tells a gateway among the servers which gateways a request came through.
const headerVia = "Durward-Via"

// refusalMost bounds what is read of an HTTP error.
const refusalMost = 64 << 10

// Endpoint is where a server is and how to reach it.
type Endpoint struct {
	Client   *httpwire.Client
	URL      *url.URL
	Header   http.Header // what the operator declared, credentials among it
	Agent    string      // User-Agent
	Via      string      // what we are called in Durward-Via; "" leaves it out
	Limits   link.Limits
	Counters *link.Counters
	Log      *slog.Logger
	Account  Account // nil where nobody signs in
}

// Account is where the credential of an endpoint comes from.
type Account interface {
	// Credential returns the value of the Authorization header, "" for none.
	Credential(ctx context.Context) string
	// Asks reports whether a response is one that another credential may mend.
	Asks(status int, h http.Header) bool
	// Renew gets another credential than the one that was used; the request may
	// then be sent again.
	Renew(ctx context.Context, used string, u *url.URL, status int, h http.Header) error
}

// prepared returns the endpoint with limits filled in and credentials moved
// from the URL to where they belong.
func (e Endpoint) prepared() Endpoint {
	e.Limits = e.Limits.OrDefault()
	if e.Header = maps.Clone(e.Header); e.Header == nil {
		e.Header = http.Header{}
	}
	if e.Agent != "" && e.Header.Get("User-Agent") == "" {
		e.Header.Set("User-Agent", e.Agent)
	}
	if e.Via != "" {
		e.Header[headerVia] = []string{e.Via}
	}
	u := *e.URL
	if u.User != nil && e.Header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		e.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	u.User, u.Fragment = nil, ""
	e.URL = &u
	return e
}

// header returns the declared headers and, over them, pairs of ours.
func (e *Endpoint) header(pairs ...string) http.Header {
	h := make(http.Header, len(e.Header)+len(pairs)/2)
	maps.Copy(h, e.Header)
	for i := 0; i+1 < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

// send performs one exchange up to the head of the response. Where the server
// refuses a credential that can be renewed, it is sent once more: a request
// that was refused for its credential had no effect.
func (e *Endpoint) send(ctx context.Context, method string, u *url.URL, h http.Header, body [][]byte) (*httpwire.Response, error) {
	if e.Account == nil {
		return e.post(ctx, method, u, h, body)
	}
	used := e.Account.Credential(ctx)
	res, err := e.post(ctx, method, u, withCredential(h, used), body)
	if err != nil || !e.Account.Asks(res.Status, res.Header) {
		return res, err
	}
	res.Discard()
	if err := e.Account.Renew(ctx, used, u, res.Status, res.Header); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &link.Fault{Kind: link.Refused, Status: res.Status, Err: err}
	}
	return e.post(ctx, method, u, withCredential(h, e.Account.Credential(ctx)), body)
}

// withCredential returns h with an Authorization header; h itself is not changed.
func withCredential(h http.Header, value string) http.Header {
	if value == "" {
		return h
	}
	h = maps.Clone(h)
	h["Authorization"] = []string{value}
	return h
}

// post performs one exchange with the credential that the header has.
func (e *Endpoint) post(ctx context.Context, method string, u *url.URL, h http.Header, body [][]byte) (*httpwire.Response, error) {
	res, err := e.Client.Do(ctx, &httpwire.Request{Method: method, URL: u, Header: h, Body: body})
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	kind := link.Broken
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		kind = link.Unreachable
	}
	return nil, &link.Fault{Kind: kind, Err: err}
}

// hear reads the response to a posted call until the answer: one message, or
// a stream that holds it. A stream that ends without one gives errStreamEnd
// and the last event's id and retry time.
func (e *Endpoint) hear(ctx context.Context, res *httpwire.Response, c *link.Call, t *link.Turn, s *stream) (link.Answer, error) {
	if res.Status < 200 || res.Status > 299 {
		return e.refused(ctx, res, c, s)
	}
	switch mediaType(res.Header) {
	case mediaJSON:
		return e.hearOne(ctx, res, c, t)
	case mediaEvents:
		return e.hearStream(ctx, res.Body, c, t, s)
	}
	_ = res.Body.Close()
	return link.Answer{}, &link.Fault{
		Kind: link.Garbled, Status: res.Status,
		Err: fmt.Errorf("the server answered a request with the media type %.60q", res.Header.Get("Content-Type")),
	}
}

func (e *Endpoint) hearOne(ctx context.Context, res *httpwire.Response, c *link.Call, t *link.Turn) (link.Answer, error) {
	owner := ""
	if res.ContentLength > httpwire.Small || c.Large() {
		owner = c.Owner
	}
	body, loan, err := res.Borrow(int64(e.Limits.Message), owner)
	if err != nil {
		return link.Answer{}, readFault(ctx, err)
	}
	m, err := e.Limits.Scan(body)
	if err != nil {
		e.Counters.Garbage.Add(1)
		return link.Answer{}, link.Faultf(link.Garbled, "the server's answer cannot be read: %w", err)
	}
	a, done, err := t.Hear(ctx, &m)
	if err == nil && !done {
		err = link.Faultf(link.Garbled, "the server answered another request (id %.40s, asked %d)", m.ID, c.ID)
	}
	if loan != nil {
		a.Spent = loan.Return
	}
	return a, err
}

// stream is where a stream of events stands.
type stream struct {
	lastID  string
	retry   time.Duration
	session bool // the call carried the id of a session
	batches bool // the server may send several messages in one event
}

var errStreamEnd = &link.Fault{Kind: link.Broken, Err: errors.New("the stream ended before the answer")}

func (e *Endpoint) hearStream(ctx context.Context, body io.ReadCloser, c *link.Call, t *link.Turn, s *stream) (link.Answer, error) {
	defer body.Close()
	var from io.Reader = body
	if !c.Standing { // also what is no event has its bound
		from = &bounded{r: body, left: 2 * e.Limits.Call}
	}
	events := mcpwire.NewEventReader(from, e.Limits.Message)
	for {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return link.Answer{}, errStreamEnd
		}
		if err != nil {
			return link.Answer{}, readFault(ctx, err)
		}
		s.note(&ev)
		if !speaks(&ev) {
			continue
		}
		if a, done, err := e.hearEvent(ctx, ev.Data, c, t, s); done || err != nil {
			return a, err
		}
	}
}

// hearEvent hears what one event of a call's stream carries.
func (e *Endpoint) hearEvent(ctx context.Context, data []byte, c *link.Call, t *link.Turn, s *stream) (a link.Answer, done bool, err error) {
	if !s.batches || !mcpwire.IsBatch(data) {
		m, fault := e.Limits.Scan(data)
		return e.hearMessage(ctx, &m, data, fault, c, t)
	}
	all, fault := e.Limits.ScanBatch(data)
	if fault != nil {
		e.garbage(data, fault)
	}
	for i := 0; i < len(all) && !done && err == nil; i++ {
		fault = nil
		if all[i].Fault != nil {
			fault = all[i].Fault
		}
		a, done, err = e.hearMessage(ctx, &all[i], all[i].Raw, fault, c, t)
	}
	return a, done, err
}

// hearMessage hears one message. What is none and yet bears the call's id was
// its answer: no other will come.
func (e *Endpoint) hearMessage(ctx context.Context, m *mcpwire.Message, raw []byte, fault error, c *link.Call, t *link.Turn) (link.Answer, bool, error) {
	if fault == nil {
		return t.Hear(ctx, m)
	}
	e.garbage(raw, fault)
	if link.FaultyID(fault) == c.ID {
		return link.Answer{}, false, link.Faultf(link.Garbled, "the server's answer cannot be read: %w", fault)
	}
	return link.Answer{}, false, nil
}

func (s *stream) note(ev *mcpwire.Event) {
	if ev.ID != "" {
		s.lastID = ev.ID
	}
	if ev.Retry > 0 {
		s.retry = min(time.Duration(ev.Retry)*time.Millisecond, 30*time.Second)
	}
}

// speaks reports whether an event carries a message: not what primes a stream
// (MCP 2025-11-25) or keeps it alive.
func speaks(ev *mcpwire.Event) bool {
	return len(ev.Data) > 0 && (ev.Event == "" || ev.Event == "message")
}

func (e *Endpoint) garbage(data []byte, err error) {
	if e.Counters.Garbage.Add(1) <= 10 {
		e.Log.Warn("upstream sent what is no message", "err", err, "start", string(data[:min(len(data), 120)]))
	}
}

// refused makes an answer or a fault of an HTTP error. A JSON-RPC error that
// bears the call's id is the server's answer whatever the status, unless it
// says that there is no such session.
func (e *Endpoint) refused(ctx context.Context, res *httpwire.Response, c *link.Call, s *stream) (link.Answer, error) {
	ended := s.session && res.Status == http.StatusNotFound
	f := &link.Fault{Kind: kindOfStatus(res.Status), Status: res.Status, Retry: retryAfter(res.Header)}
	if res.Status >= 300 && res.Status < 400 {
		f.Err = fmt.Errorf("the server redirects to %.200q, which is not followed; declare the final URL", place(res.Header.Get("Location")))
	}
	body, err := res.ReadAll(refusalMost)
	if ctx.Err() != nil {
		return link.Answer{}, ctx.Err()
	}
	if err != nil {
		return link.Answer{}, f
	}
	m, err := e.Limits.Scan(body)
	own := err == nil && link.OwnID(m.ID) == c.ID
	if err != nil || m.Kind != mcpwire.Response || m.Error == nil {
		f.Said = string(body)
		f.Undone = ended && !own && mediaType(res.Header) != mediaEvents
		return link.Answer{}, f
	}
	f.RPC = mcpwire.ReadError(m.Error)
	f.Undone = ended
	if f.Kind != link.Refused && (own || mcpwire.IsModernCode(f.RPC.Code)) && (!ended || !endsSession(f.RPC)) {
		return link.Answer{Error: f.RPC}, nil
	}
	return link.Answer{}, f
}

// endsSession tells that an error that came with 404 is about the session and
// not about what was asked in it: by the codes that SDKs and gateways like this
// one use, or in words.
func endsSession(e *durward.RPCError) bool {
	switch e.Code {
	case -32001, http.StatusNotFound:
		return true
	case mcpwire.CodeInvalidRequest, -32000:
		return strings.Contains(strings.ToLower(e.Message), "session")
	}
	return false
}

// place is where a URL leads, without what may be secret in it.
func place(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func kindOfStatus(status int) link.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return link.Refused
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return link.Busy
	case status == http.StatusRequestTimeout, status == http.StatusRequestEntityTooLarge,
		status == http.StatusRequestHeaderFieldsTooLarge, status == http.StatusRequestURITooLong:
		return link.Broken
	case status >= 400 && status < 500:
		return link.WrongEra
	}
	return link.Broken
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Hour)
}

func readFault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, httpwire.ErrTooLarge), errors.Is(err, mcpwire.ErrEventTooLarge), errors.Is(err, errBound):
		return &link.Fault{Kind: link.Flooded, Err: fmt.Errorf("the server's answer: %w", err)}
	}
	return &link.Fault{Kind: link.Broken, Err: fmt.Errorf("read the server's answer: %w", err)}
}

func mediaType(h http.Header) string {
	v := h.Get("Content-Type")
	switch v { // without a parser for what is nearly always there
	case mediaJSON, mediaEvents:
		return v
	}
	t, _, err := mime.ParseMediaType(v)
	if err != nil {
		t, _, _ = strings.Cut(strings.ToLower(v), ";")
		t = strings.TrimSpace(t)
	}
	return t
}

var errBound = errors.New("more bytes than are allowed in one stream")

// bounded ends a stream that is longer than it may be.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBound
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
