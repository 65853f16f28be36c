package httpwire

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Whatever simpleHead takes, net/http reads the same way; what it leaves is
// left whole.
func FuzzSimpleHead(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nMcp-Session-Id:  a b \t\r\nConnection: keep-alive\r\n\r\n{}",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\r\n\r\n{}",
		"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n\r\nto the end",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		conn := &plainConn{in: bufio.NewReader(strings.NewReader(wire))}
		if _, err := conn.in.Peek(1); err != nil {
			return
		}
		before := conn.in.Buffered()
		h, ok := conn.simpleHead()
		if !ok {
			if conn.in.Buffered() != before {
				t.Fatalf("%d of %d bytes are gone of a head that was left to net/http", before-conn.in.Buffered(), before)
			}
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(wire)), nil)
		if err != nil {
			t.Fatalf("net/http refuses what was taken: %v", err)
		}
		if res.StatusCode != h.status || res.ContentLength != h.length || res.Close || len(res.TransferEncoding) > 0 {
			t.Fatalf("%d, %d bytes; net/http reads %d, %d bytes, close %v, %v", h.status, h.length, res.StatusCode, res.ContentLength, res.Close, res.TransferEncoding)
		}
		if !maps.EqualFunc(res.Header, h.header, slices.Equal[[]string]) {
			t.Fatalf("%v; net/http reads %v", h.header, res.Header)
		}
		ours, ourErr := io.ReadAll(h.body)
		theirs, theirErr := io.ReadAll(res.Body)
		if string(ours) != string(theirs) || (ourErr == nil) != (theirErr == nil) {
			t.Fatalf("%q, %v; net/http reads %q, %v", ours, ourErr, theirs, theirErr)
		}
	})
}

// An ordinary answer is taken without net/http, or this file is of no use.
func TestAnOrdinaryHeadIsSimple(t *testing.T) {
	const wire = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}"
	conn := &plainConn{in: bufio.NewReader(strings.NewReader(wire))}
	_, _ = conn.in.Peek(1)
	if h, ok := conn.simpleHead(); !ok || h.status != 200 || h.header.Get("Content-Type") != "application/json" || h.length != 2 {
		t.Fatalf("%+v, %v", h, ok)
	}
}
