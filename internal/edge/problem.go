package edge

import (
	"durward"
	"durward/internal/httpwire"
	"encoding/json"
	"fmt"
	"net/http"
)

// problem is a refusal for readers of HTTP (RFC 9457).
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Reason durward.Reason `json:"reason,omitempty"`
}

// Refuse answers with err as problem+json, with the headers that belong to it.
func Refuse(x *httpwire.Exchange, presented durward.Credential, err error) {
	e := durward.AsError(err)
	SetErrorHeaders(x, presented, e)
	sendProblem(x, Status(e), e.Message, e.Reason)
}

// TooLarge is the refusal of a body over the limit, in bytes.
func TooLarge(limit int64) *durward.Error {
	return &durward.Error{
		Code: durward.TooLarge, Reason: durward.ReasonBodyTooLarge,
		Message: fmt.Sprintf("The request body is larger than the %d bytes that are allowed.", limit),
	}
}

// SetErrorHeaders sets what a status needs beside its body.
func SetErrorHeaders(x *httpwire.Exchange, presented durward.Credential, e *durward.Error) {
	if e.Code == durward.Unauthenticated {
		x.Set("Www-Authenticate", Challenge(presented))
	}
	SetLimitHeaders(x, e.Retry, e.Limits)
}

func sendProblem(x *httpwire.Exchange, status int, detail string, reason durward.Reason) {
	title := http.StatusText(status)
	if title == "" {
		title = "Client Closed Request"
	}
	body, err := json.Marshal(problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Reason: reason})
	if err != nil { // cannot be: five plain fields
		body = []byte(`{"type":"about:blank"}`)
	}
	x.Set("X-Content-Type-Options", "nosniff")
	_ = x.Answer(status, "application/problem+json", body) // a client that left needs no answer
}
