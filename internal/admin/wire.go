package admin

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

const maxBody = 1 << 20

// request is one request with who makes it.
type request struct {
	*http.Request
	by durward.Actor
}

// answer is what a handler gives back.
type answer struct {
	status int
	kind   string // media type
	body   []byte
}

func (a answer) write(w http.ResponseWriter) {
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // who left needs no answer
}

func reply(status int, v any) (answer, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, err
	}
	return answer{status: status, kind: "application/json", body: append(body, '\n')}, nil
}

func done() (answer, error) { return answer{status: http.StatusNoContent}, nil }

// list is how every collection is answered, so that fields can be added beside it.
type list[T any] struct {
	Items []T `json:"items"`
}

// decodeOptional reads a JSON body that may be absent.
func decodeOptional[T any](r *request) (T, error) {
	if r.ContentLength == 0 {
		var none T
		return none, nil
	}
	return decode[T](r)
}

// decode reads a JSON body strictly.
func decode[T any](r *request) (T, error) {
	var v T
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return v, malformed("Send the body as application/json.", err)
	}
	raw, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return v, &durward.Error{Code: durward.TooLarge, Reason: durward.ReasonRequestInvalid, Message: "The body is larger than 1 MiB.", Err: err}
	}
	if err != nil {
		return v, malformed("The body ended early.", err)
	}
	if err := mcpwire.Value(raw, mcpwire.Limits{}); err != nil { // duplicate keys, UTF-8, depth
		return v, malformed("The body is not one JSON value: "+err.Error()+".", err)
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, malformed("The body cannot be used: "+strings.TrimPrefix(err.Error(), "json: ")+".", err)
	}
	return v, nil
}

func malformed(msg string, err error) error {
	return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: msg, Err: err}
}

// problem is an error as it travels (RFC 9457).
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Reason durward.Reason `json:"reason,omitempty"`
}

func problemOf(status int, detail string, reason durward.Reason) answer {
	body, err := json.Marshal(problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Reason: reason})
	if err != nil { // five plain fields always marshal
		panic(err)
	}
	return answer{status: status, kind: "application/problem+json", body: append(body, '\n')}
}

// refuse answers with an error, and logs the ones that are ours.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := durward.AsError(err)
	status := statusOf(e.Code)
	switch {
	case e.Reason == durward.ReasonUpstreamUnavailable, e.Reason == durward.ReasonUpstreamTimeout: // whoever asked is told
		a.Log.Info("admin request cannot be answered now", "method", r.Method, "path", r.URL.Path, "err", err)
	case status >= 500:
		a.Log.Error("admin request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="durward admin"`)
		a.Log.Warn("admin request refused", "method", r.Method, "path", r.URL.Path, "reason", e.Reason, "remote", r.RemoteAddr)
	}
	problemOf(status, e.Message, e.Reason).write(w)
}

// codes is the table of statuses, also read backwards by the client.
func codes() map[durward.Code]int {
	return map[durward.Code]int{
		durward.Internal:        http.StatusInternalServerError,
		durward.BadRequest:      http.StatusBadRequest,
		durward.Unauthenticated: http.StatusUnauthorized,
		durward.Forbidden:       http.StatusForbidden,
		durward.NotFound:        http.StatusNotFound,
		durward.TooLarge:        http.StatusRequestEntityTooLarge,
		durward.Unavailable:     http.StatusServiceUnavailable,
		durward.Conflict:        http.StatusConflict,
	}
}

func statusOf(c durward.Code) int {
	if s, ok := codes()[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// knownHost refuses names that an attacker could have bound to our address
// (DNS rebinding); an IP address cannot be bound to another.
func (a *api) knownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || slices.Contains(a.Names, host)
}

func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host)
}

// Duration is a time.Duration that travels as "1m30s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
