package httpwire_test

import (
	"bufio"
	"context"
	"durward/internal/httpwire"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script is a server that answers each request with the next of its texts, as
// raw bytes, and counts connections. "" closes without an answer.
func script(t *testing.T, answers ...string) (u *url.URL, conns *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conns = new(atomic.Int32)
	next := make(chan string, len(answers))
	for _, a := range answers {
		next <- a
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					a := <-next
					if a == "" {
						return
					}
					if _, err := io.WriteString(c, a); err != nil || strings.Contains(a, "Connection: close") {
						return
					}
				}
			}()
		}
	}()
	u, err = url.Parse("http://" + l.Addr().String() + "/mcp?x=1")
	if err != nil {
		t.Fatal(err)
	}
	return u, conns
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func exchangeText(t *testing.T, c *httpwire.Client, u *url.URL, body string) (string, error) {
	t.Helper()
	res, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Header: http.Header{"Content-Type": {"application/json"}}, Body: httpwire.Bytes([]byte(body))})
	if err != nil {
		return "", err
	}
	b, err := res.ReadAll(1 << 20)
	return string(b), err
}

func TestPlainKeepsItsConnection(t *testing.T) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
	interim := "HTTP/1.1 103 Early Hints\r\n\r\n" + ok("three")
	u, conns := script(t, ok("one"), chunked, interim, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", ok(strings.Repeat("x", 300<<10)))
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	for _, want := range []string{"one", "two", "three", "", strings.Repeat("x", 300<<10)} {
		if got, err := exchangeText(t, c, u, strings.Repeat("b", 100<<10)); err != nil || got != want {
			t.Fatalf("got %.20q, %v, want %.20q", got, err, want)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 5 requests, want 1", n)
	}
}

func TestPlainReplacesAConnectionThatWasClosed(t *testing.T) {
	u, conns := script(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", ok("b"))
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	for _, want := range []string{"a", "b"} {
		if got, err := exchangeText(t, c, u, "x"); err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if conns.Load() != 2 {
		t.Errorf("%d connections, want 2", conns.Load())
	}
}

func TestPlainNeverSendsARequestTwice(t *testing.T) {
	u, _ := script(t, ok("a"), "", ok("must not be fetched"))
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	if _, err := exchangeText(t, c, u, "x"); err != nil {
		t.Fatal(err)
	}
	if got, err := exchangeText(t, c, u, "a payment"); err == nil {
		t.Errorf("the server took the request and closed, but the client got %q", got)
	}
}

func TestPlainRefusesWhatIsNoAnswer(t *testing.T) {
	for what, answer := range map[string]string{
		"garbage":                      "hello\r\n\r\n",
		"an endless head":              "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 200) + "\r\n",
		"two lengths":                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"a negative length":            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"a body shorter than promised": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nabc",
		"interim answers without end":  strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20),
		"another protocol":             "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	} {
		u, _ := script(t, answer)
		c := httpwire.NewClient(httpwire.ClientOptions{})
		if got, err := exchangeText(t, c, u, "x"); err == nil {
			t.Errorf("%s: the client took it as %.40q", what, got)
		}
		c.Close()
	}
}

func TestPlainDoesNotTrustWhatIsLeftOnAConnection(t *testing.T) {
	// A second response that nobody asked for would answer the next request.
	u, conns := script(t, ok("mine")+ok("smuggled"), ok("next"))
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	for _, want := range []string{"mine", "next"} {
		if got, err := exchangeText(t, c, u, "x"); err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if conns.Load() != 2 {
		t.Errorf("%d connections, want the first thrown away", conns.Load())
	}
}

func TestPlainRefusesHeadersThatWouldBecomeOthers(t *testing.T) {
	u, _ := script(t, ok("a"))
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	for _, h := range []http.Header{{"Mcp-Name": {"a\r\nX-Admin: 1"}}, {"Bad Name": {"x"}}, {"A:B": {"x"}}, {"X": {"a\x00"}}} {
		if _, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Header: h, Body: httpwire.Bytes([]byte("x"))}); err == nil {
			t.Errorf("the header %q was sent", h)
		}
	}
}

func TestPlainEndsWhenItsContextDoes(t *testing.T) {
	for what, answer := range map[string]string{
		"before the head":  "HTTP/1.1 200 OK\r\n",
		"within the body":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
		"between chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"in an open event": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n",
	} {
		u, _ := script(t, answer)
		c := httpwire.NewClient(httpwire.ClientOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		res, err := c.Do(ctx, &httpwire.Request{Method: "POST", URL: u, Body: httpwire.Bytes([]byte("x"))})
		if err == nil {
			_, err = res.ReadAll(1 << 20)
		}
		if err == nil || time.Since(began) > time.Minute {
			t.Errorf("%s: err %v after %v", what, err, time.Since(began))
		}
		cancel()
		c.Close()
	}
}

func TestPlainTellsTheAnswerOfAServerThatDidNotReadOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}()
	u, _ := url.Parse("http://" + l.Addr().String())
	c := httpwire.NewClient(httpwire.ClientOptions{})
	defer c.Close()
	res, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Body: httpwire.Bytes(make([]byte, 1<<20))})
	if err != nil || res.Status != http.StatusRequestEntityTooLarge {
		t.Fatalf("Do = %+v, %v, want 413", res, err)
	}
	_ = res.Body.Close()
}

func TestPlainGivesUpOnNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("http://" + l.Addr().String())
	_ = l.Close()
	var refused *net.OpError
	if _, err := exchangeText(t, httpwire.NewClient(httpwire.ClientOptions{}), u, "x"); !errors.As(err, &refused) {
		t.Errorf("Do = %v, want a refused connection", err)
	}
}
