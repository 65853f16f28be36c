package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

func TestCredentials(t *testing.T) {
	b := newBox(t, "", "")
	tests := []struct {
		name   string
		key    string
		header map[string]string
		query  string
		status int
		reason durward.Reason
	}{
		{name: "no key", status: 401, reason: durward.ReasonCredentialMissing},
		{name: "a key that nobody has", key: "dwk_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", status: 401, reason: ""},
		{name: "a key of another form that nobody has", key: "not-a-key-of-anybody-at-all", status: 401, reason: durward.ReasonKeyUnknown},
		{name: "two keys that differ", key: durwardtest.Key, header: map[string]string{"X-Api-Key": "another-key-0123456789abcdef"}, status: 400, reason: durward.ReasonCredentialConflict},
		{name: "a key in the query", query: "?api_key=" + durwardtest.Key, status: 0, reason: durward.ReasonCredentialInQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := durwardtest.Caller{URL: b.Endpoint() + tt.query, Key: tt.key, Header: tt.header}
			a := c.Call(t, "bad__echo", `{"text":"x"}`)
			if a.Result != nil || a.Status < 400 || tt.status != 0 && a.Status != tt.status {
				t.Errorf("the call answers %v, want status %d", a, tt.status)
			}
			if a.Status == 401 && a.Header.Get("WWW-Authenticate") == "" {
				t.Error("a 401 without WWW-Authenticate")
			}
			silent(t, a, durwardtest.Key)
			if tt.reason != "" {
				b.refused(t, tt.reason)
			}
		})
	}
	b.goesOn(t)
}

func TestUnknownToolsAndArguments(t *testing.T) {
	b := newBox(t, "", "")

	a := b.Call(t, "bad__nothing", `{}`)
	if a.Code() != -32602 || !strings.Contains(a.Error.Message, "Unknown tool") {
		t.Errorf("an unknown tool answers %v", a)
	}
	b.kept(t, "bad__nothing", "deny", durward.ReasonOperationUnknown, durward.OutcomeRefused)

	a = b.Call(t, "bad__slow", `{"ms":"soon"}`)
	text, isError := a.Text()
	if !isError || !strings.Contains(text, "ms") || !strings.Contains(text, "integer") {
		t.Errorf("a wrong argument answers %v, want a result with isError that names field and rule", a)
	}
	b.kept(t, "bad__slow", "deny", durward.ReasonArgumentsInvalid, durward.OutcomeRefused)

	a = b.Call(t, "bad__slow", `{"ms":70000}`)
	if text, isError := a.Text(); !isError || !strings.Contains(text, "ms") {
		t.Errorf("an argument over its maximum answers %v", a)
	}
	a = b.Call(t, "bad__echo", `[]`)
	if _, isError := a.Text(); a.Code() == 0 && !isError {
		t.Errorf("arguments that are no object answer %v", a)
	}
	b.goesOn(t)
}

func TestHiddenToolsAnswerLikeUnknownOnes(t *testing.T) {
	b := newBox(t, "", `
agents:
  tester: {key: `+durwardtest.Key+`, roles: [all]}
  small: {key: small-agent-key-0123456789abcdef, roles: [few]}
roles:
  all: {allow: ["*"]}
  few: {allow: ["good__echo"]}
`)
	small := durwardtest.Caller{URL: b.Endpoint(), Key: "small-agent-key-0123456789abcdef"}
	hidden, missing := small.Call(t, "bad__echo", `{}`), small.Call(t, "bad__eccc", `{}`)
	own := regexp.MustCompile(`"call":"[0-9a-z]{26}"`) // every refusal has an id of its own
	alike := func(body string) string { return own.ReplaceAllString(body, `"call":"ID"`) }
	if strings.ReplaceAll(alike(hidden.Body), "echo", "eccc") != alike(missing.Body) || hidden.Status != missing.Status {
		t.Errorf("a hidden tool answers %v, one that does not exist %v", hidden, missing)
	}
	b.kept(t, "bad__echo", "deny", durward.ReasonNotAllowed, durward.OutcomeRefused)
	b.kept(t, "bad__eccc", "deny", durward.ReasonOperationUnknown, durward.OutcomeRefused)
	b.goesOn(t)
}

func TestBodies(t *testing.T) {
	b := newBox(t, "", "")
	_, header := durwardtest.Modern("1", "tools/call", "bad__echo", `{"name":"bad__echo"}`)
	good, _ := durwardtest.Modern("1", "tools/call", "bad__echo", `{"name":"bad__echo","arguments":{"text":"x"}}`)
	tests := []struct {
		name, body string
		status     int
		code       int
	}{
		{"half a JSON", good[:len(good)/2], 400, -32700},
		{"no JSON", "hello", 400, -32700},
		{"nothing", "", 400, -32700},
		{"two values", good + good, 400, -32700},
		{"a batch", "[" + good + "]", 400, -32600},
		{"an empty batch", "[]", 400, -32600},
		{"no version of JSON-RPC", strings.Replace(good, `"jsonrpc":"2.0",`, "", 1), 400, -32600},
		{"an id that is no id", strings.Replace(good, `"id":1`, `"id":{}`, 1), 400, -32600},
		{"an id that is null", strings.Replace(good, `"id":1`, `"id":null`, 1), 400, -32600},
		{"a duplicate key", strings.Replace(good, `"id":1`, `"id":1,"id":1`, 1), 400, 0},
		{"a duplicate name", strings.Replace(good, `"name":"bad__echo",`, `"name":"bad__echo","name":"bad__die",`, 1), 400, 0},
		{"a name that differs in case", strings.Replace(good, `"name":"bad__echo",`, `"name":"bad__echo","NAME":"bad__die",`, 1), 400, 0},
		{"an escaped duplicate", strings.Replace(good, `"name":"bad__echo",`, `"name":"bad__echo","n\u0061me":"bad__die",`, 1), 400, 0},
		{"invalid UTF-8", strings.Replace(good, `"x"`, "\"\xff\"", 1), 400, -32700},
		{"too deep", strings.Replace(good, `"x"`, strings.Repeat("[", 200)+strings.Repeat("]", 200), 1), 400, 0},
		{"over the limit", strings.Replace(good, `"x"`, `"`+strings.Repeat("x", 5<<20)+`"`, 1), 413, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := time.Now()
			a := b.Post(t, tt.body, header)
			if a.Status != tt.status || a.Result != nil {
				t.Errorf("answers %v, want status %d", a, tt.status)
			}
			if tt.code != 0 && a.Code() != tt.code {
				t.Errorf("answers %v, want code %d", a, tt.code)
			}
			silent(t, a)
			b.refusedSince(t, before)
		})
	}
	b.goesOn(t)
}

func TestHeadersThatDisagreeWithTheBody(t *testing.T) {
	b := newBox(t, "", "")
	body, _ := durwardtest.Modern("1", "tools/call", "", `{"name":"bad__echo","arguments":{"text":"x"}}`)
	tests := []struct {
		name   string
		header map[string]string
		code   int
	}{
		{"another method", map[string]string{"Mcp-Method": "tools/list"}, -32020},
		{"another tool", map[string]string{"Mcp-Name": "good__echo"}, -32020},
		{"no method", map[string]string{"Mcp-Method": ""}, -32020},
		{"no name", map[string]string{"Mcp-Name": ""}, -32020},
		{"another version", map[string]string{"Mcp-Protocol-Version": "2025-11-25"}, 0},
		{"a version that never was", map[string]string{"Mcp-Protocol-Version": "1999-01-01"}, 0},
		{"a name that is broken base64", map[string]string{"Mcp-Name": "=?base64?***?="}, -32020},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{"Mcp-Protocol-Version": durwardtest.ModernVersion, "Mcp-Method": "tools/call", "Mcp-Name": "bad__echo"}
			for k, v := range tt.header {
				header[k] = v
			}
			before := time.Now()
			a := b.Post(t, body, header)
			if a.Status != http.StatusBadRequest || a.Result != nil || tt.code != 0 && a.Code() != tt.code {
				t.Errorf("answers %v, want 400 and code %d", a, tt.code)
			}
			b.refusedSince(t, before)
		})
	}
	b.goesOn(t)
}

// On the wire itself: what no well-behaved HTTP library would send.
func TestLyingFraming(t *testing.T) {
	b := newBox(t, "", "")
	body, _ := durwardtest.Modern("1", "tools/call", "bad__echo", `{"name":"bad__echo","arguments":{"text":"smuggled"}}`)
	host := strings.TrimPrefix(b.Gateway.URL, "http://")
	head := "POST /mcp HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + durwardtest.Key +
		"\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: bad__echo\r\n"
	tests := []struct {
		name, request string
		half          bool // close our side after sending
	}{
		{"a length longer than the body", head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)+100) + body, true},
		{"a length shorter than the body", head + fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n\r\n", len(body)/2) + body, true},
		{"two lengths", head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n", len(body), len(body)-1) + body, true},
		{"a length that is no number", head + "Content-Length: many\r\n\r\n" + body, true},
		{"a negative length", head + "Content-Length: -1\r\n\r\n" + body, true},
		{"a chunk that lies", head + "Transfer-Encoding: chunked\r\n\r\nffff\r\n" + body + "\r\n0\r\n\r\n", true},
		{"a huge length", head + "Content-Length: 99999999999\r\n\r\n" + body, true},
		{"an unknown coding", head + "Transfer-Encoding: gzip\r\n\r\n" + body, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, rest := converse(t, host, tt.request)
			if status != 0 && status < 400 {
				t.Errorf("answers %d %s, want a refusal or a closed connection", status, rest)
			}
			if strings.Contains(rest, "smuggled") {
				t.Errorf("the call was made: %s", rest)
			}
		})
	}
	for _, r := range b.Records(t) {
		if r.Asked == "bad__echo" && r.Outcome == durward.OutcomeOK {
			t.Errorf("the record shows a call that was made: %+v", r)
		}
	}
	b.goesOn(t)
}

// converse sends bytes, closes its side, and reads what comes; 0 is no answer.
func converse(t *testing.T, host, request string) (status int, rest string) {
	t.Helper()
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(c, request)
	_ = c.(*net.TCPConn).CloseWrite()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(raw)
}

func TestForeignPages(t *testing.T) {
	b := newBox(t, "", "")
	for name, header := range map[string]map[string]string{
		"a foreign origin": {"Origin": "https://evil.example"},
		"a null origin":    {"Origin": "null"},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.Caller
			c.Header = header
			if a := c.Call(t, "bad__echo", `{}`); a.Status != http.StatusForbidden {
				t.Errorf("answers %v, want 403", a)
			}
		})
	}
	t.Run("a foreign host", func(t *testing.T) {
		host := strings.TrimPrefix(b.Gateway.URL, "http://")
		status, rest := converse(t, host, "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
		if status < 400 || status >= 500 {
			t.Errorf("answers %d %s, want a refusal", status, rest)
		}
	})
	b.goesOn(t)
}

func TestSessionsOfOthers(t *testing.T) {
	b := newBox(t, "", `
agents:
  tester: {key: `+durwardtest.Key+`, roles: [all]}
  other: {key: other-agent-key-0123456789abcdef, roles: [all]}
roles:
  all: {allow: ["*"]}
`)
	mine := b.Open(t, "2025-11-25")
	theirs := *mine
	theirs.Key = "other-agent-key-0123456789abcdef"
	if a := theirs.Call(t, "good__echo", `{"text":"x"}`); a.Status != http.StatusNotFound || a.Result != nil {
		t.Errorf("a session of another agent answers %v, want 404", a)
	}
	b.refused(t, durward.ReasonSessionUnknown)
	if text, _ := mine.Call(t, "good__echo", `{"text":"mine"}`).Text(); text != "mine" {
		t.Error("the owner's session was disturbed")
	}
	gone := *mine
	gone.ID = "no-such-session"
	if a := gone.Call(t, "good__echo", `{}`); a.Status != http.StatusNotFound {
		t.Errorf("an unknown session answers %v, want 404", a)
	}
	b.goesOn(t)
}

// A caller that sends slowly or stops must not hold what others need.
func TestStuckCallers(t *testing.T) {
	b := newBox(t, "", "")
	host := strings.TrimPrefix(b.Gateway.URL, "http://")
	for i := range 200 {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		switch i % 3 {
		case 0: // silence
		case 1:
			_, _ = io.WriteString(c, "POST /mcp HTTP/1.1\r\nHost: ")
		case 2:
			_, _ = io.WriteString(c, "POST /mcp HTTP/1.1\r\nHost: "+host+"\r\nAuthorization: Bearer "+durwardtest.Key+"\r\nContent-Length: 1000\r\n\r\n{")
		}
	}
	b.goesOn(t)
}
