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
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// served runs a server of one handler and returns its address.
func served(t testing.TB, b httpwire.BodyOptions, o httpwire.ServerOptions, serve func(*httpwire.Exchange)) (*httpwire.Server, string) {
	t.Helper()
	s := httpwire.NewServer(httpwire.Handler(b, serve), o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx) // what a test left running is cut
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

// echo answers with the body, or with the status of its failure.
func echo(x *httpwire.Exchange) {
	body, err := x.Body()
	var bad *httpwire.BodyError
	if errors.As(err, &bad) {
		_ = x.Answer(bad.Status, "text/plain", []byte(err.Error()))
		return
	}
	_ = x.Answer(http.StatusOK, "text/plain", []byte("got "), body)
}

// ignore answers without a look at the body.
func ignore(x *httpwire.Exchange) { _ = x.Answer(http.StatusUnauthorized, "text/plain", []byte("no")) }

func TestIgnoredBodiesHoldNothingUp(t *testing.T) {
	_, addr := served(t, httpwire.BodyOptions{}, httpwire.ServerOptions{}, ignore)
	for _, framing := range []string{"Content-Length: 1000", "Content-Length: 10000000", "Transfer-Encoding: chunked"} {
		began := time.Now()
		answer, closed := talk(t, addr, post+framing+"\r\n\r\n", time.Minute)
		if !strings.HasPrefix(answer, "HTTP/1.1 401") || !closed || time.Since(began) > 50*time.Second {
			t.Errorf("%s = %.40q after %v, want 401 and the end", framing, answer, time.Since(began))
		}
	}
}

// talk sends raw bytes and returns what the server says until it closes or
// stays silent.
func talk(t testing.TB, addr, raw string, patience time.Duration) (answer string, closed bool) {
	t.Helper()
	answer, closed, err := say(addr, raw, patience)
	if err != nil {
		t.Fatal(err)
	}
	return answer, closed
}

func say(addr, raw string, patience time.Duration) (answer string, closed bool, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", false, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		return "", false, err
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(c)
	return string(b), err == nil || !isTimeout(err), nil
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

const post = "POST / HTTP/1.1\r\nHost: localhost\r\n"

func TestBodies(t *testing.T) {
	_, addr := served(t, httpwire.BodyOptions{Limit: 1 << 20, Timeout: time.Second, Held: 300 << 10}, httpwire.ServerOptions{}, echo)
	long := strings.Repeat("x", 100<<10)
	huge := strings.Repeat("x", 400<<10)
	for _, c := range []struct {
		name, request, status, body string
		closes                      bool
	}{
		{"a body", post + "Content-Length: 2\r\n\r\nhi", "200", "got hi", false},
		{"no body", post + "Content-Length: 0\r\n\r\n", "200", "got ", false},
		{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "200", "got hi", true},
		{"a large body", post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(long), long), "200", "got " + long, false},
		{"large chunks", post + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(long), long), "200", "got " + long, true},
		{"both lengths", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "200", "got hi", true},
		{"two lengths", post + "Content-Length: 3\r\nContent-Length: 2\r\n\r\nhi", "400", "", true},
		{"a negative length", post + "Content-Length: -1\r\n\r\nhi", "400", "", true},
		{"less than was announced", post + "Content-Length: 10\r\n\r\nhi", "408", "", true},
		{"more than was announced", post + "Content-Length: 2\r\n\r\nhi\x00\x00\r\n\r\n", "200", "", true},
		{"announced over the limit", post + "Content-Length: 1048577\r\n\r\n", "413", "", true},
		{"over what may be held", post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(huge), huge), "503", "", true},
		{"chunks that never end", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "408", "", true},
		{"chunks that are none", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400", "", true},
		{"another transfer coding", post + "Transfer-Encoding: gzip\r\n\r\nhi", "501", "", true},
		{"a header over the limit", post + "X: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431", "", true},
		{"no host", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400", "", true},
		{"a space before the colon", post + "Content-Length : 2\r\n\r\nhi", "400", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			patience := time.Second // in which it says what it says, and does not close
			if c.closes {
				patience = time.Minute
			}
			answer, closed := talk(t, addr, c.request, patience)
			if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status) || !strings.Contains(answer, c.body) {
				t.Errorf("answer = %.300q, want status %s", answer, c.status)
			}
			if closed != c.closes {
				t.Errorf("connection closed = %v, want %v", closed, c.closes)
			}
		})
	}
}

func TestHeldBodiesAreGivenBack(t *testing.T) {
	_, addr := served(t, httpwire.BodyOptions{Held: 150 << 10}, httpwire.ServerOptions{}, echo)
	long := strings.Repeat("x", 100<<10)
	for range 4 {
		resp, err := http.Post("http://"+addr, "text/plain", strings.NewReader(long))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status = %d, want 200", resp.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestKeptBodiesStayCounted: a body that outlives its exchange counts until it
// is given back.
func TestKeptBodiesStayCounted(t *testing.T) {
	kept := make(chan func(), 4)
	_, addr := served(t, httpwire.BodyOptions{Held: 150 << 10}, httpwire.ServerOptions{}, func(x *httpwire.Exchange) {
		if echo(x); x.Path() == "/keep" {
			kept <- x.Keep()
		}
	})
	send := func(path string, status int) {
		t.Helper()
		resp, err := http.Post("http://"+addr+path, "text/plain", strings.NewReader(strings.Repeat("x", 100<<10)))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("status = %d, want %d", resp.StatusCode, status)
		}
	}
	send("/keep", http.StatusOK)
	release := <-kept
	send("/", http.StatusServiceUnavailable)
	release()
	release() // once is enough, and twice does no harm
	send("/keep", http.StatusOK)
	send("/", http.StatusServiceUnavailable)
	(<-kept)()
	http.DefaultClient.CloseIdleConnections()
}

func TestSlowHeadersAndIdleConnectionsEnd(t *testing.T) {
	_, addr := served(t, httpwire.BodyOptions{}, httpwire.ServerOptions{HeaderTimeout: 30 * time.Millisecond, IdleTimeout: 30 * time.Millisecond}, echo)
	for name, c := range map[string]struct{ raw, end string }{
		"nothing":                        {"", ""},
		"half a line":                    {"POST / HT", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		"half a header":                  {"POST / HTTP/1.1\r\nHost: a\r\n", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		"a kept one":                     {post + "Content-Length: 0\r\n\r\n", "\r\n\r\ngot "},
		"half a header behind a request": {post + "Content-Length: 0\r\n\r\nPOST", "Connection: close\r\n\r\n"},
	} {
		said, closed := talk(t, addr, c.raw, time.Minute)
		if !closed {
			t.Errorf("%s: the connection stays open", name)
		}
		if !strings.HasSuffix(said, c.end) || c.end == "" && said != "" || strings.Contains(said, " 408 ") != strings.HasSuffix(c.end, "close\r\n\r\n") {
			t.Errorf("%s: ended with %q, want %q", name, said, c.end)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s, addr := served(t, httpwire.BodyOptions{}, httpwire.ServerOptions{Conns: 2}, echo)
	var held []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
		fmt.Fprint(c, post+"Content-Length: 0\r\n\r\n")
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("a connection within the bound: %q, %v", line, err)
		}
	}
	if answer, _ := talk(t, addr, "", time.Minute); !strings.HasPrefix(answer, "HTTP/1.1 503") {
		t.Errorf("a connection over the bound = %q, want 503", answer)
	}
	held[0].Close()
	for end := time.Now().Add(time.Minute); s.Conns() > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are counted, want 1", s.Conns())
		}
	}
	if answer, _ := talk(t, addr, post+"Content-Length: 0\r\nConnection: close\r\n\r\n", time.Minute); !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("a connection in the place of another = %q, want 200", answer)
	}
}

func TestASlowCallMayAnswer(t *testing.T) {
	timeout := 200 * time.Millisecond
	_, addr := served(t, httpwire.BodyOptions{WriteTimeout: timeout}, httpwire.ServerOptions{WriteTimeout: timeout}, func(x *httpwire.Exchange) {
		time.Sleep(3 * timeout)
		if strings.HasSuffix(x.Path(), "stream") {
			s := x.Stream(http.StatusOK, "text/plain")
			for range 3 {
				time.Sleep(2 * timeout)
				fmt.Fprint(s, "on ")
			}
			return
		}
		_ = x.Answer(http.StatusOK, "text/plain", []byte("at last"))
	})
	for path, want := range map[string]string{"/": "at last", "/stream": "on on on "} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != want {
			t.Errorf("GET %s = %q, %v, want %q", path, b, err, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestAStalledReaderIsCut(t *testing.T) {
	failed := make(chan error, 1)
	_, addr := served(t, httpwire.BodyOptions{WriteTimeout: 50 * time.Millisecond}, httpwire.ServerOptions{}, func(x *httpwire.Exchange) {
		s := x.Stream(http.StatusOK, "text/plain")
		for {
			if _, err := s.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case err := <-failed:
		if !isTimeout(err) {
			t.Errorf("Write = %v, want a timeout", err)
		}
	case <-time.After(time.Minute):
		t.Error("Write waits for a reader that reads nothing")
	}
}

func TestShutdown(t *testing.T) {
	begun, release := make(chan struct{}, 2), make(chan struct{})
	serve := func(x *httpwire.Exchange) {
		begun <- struct{}{}
		select {
		case <-release:
		case <-x.Context().Done():
		}
		_ = x.Answer(http.StatusOK, "text/plain", []byte("done"))
	}
	t.Run("waits", func(t *testing.T) {
		s, addr := served(t, httpwire.BodyOptions{}, httpwire.ServerOptions{}, serve)
		got := make(chan string, 1)
		go func() {
			answer, _, _ := say(addr, post+"Content-Length: 0\r\n\r\n", time.Minute)
			got <- answer
		}()
		<-begun
		time.AfterFunc(20*time.Millisecond, func() { close(release) })
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if answer := <-got; !strings.Contains(answer, "done") {
			t.Errorf("answer = %q", answer)
		}
	})
	release = make(chan struct{})
	t.Run("waits no longer than it may", func(t *testing.T) {
		s, addr := served(t, httpwire.BodyOptions{}, httpwire.ServerOptions{}, serve)
		go say(addr, post+"Content-Length: 0\r\n\r\n", time.Minute)
		<-begun
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want that time is over", err)
		}
	})
}

func TestExpectContinueAfterAnIdleWhile(t *testing.T) {
	timeout := 200 * time.Millisecond
	_, addr := served(t, httpwire.BodyOptions{WriteTimeout: timeout}, httpwire.ServerOptions{WriteTimeout: timeout}, echo)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	for range 2 {
		fmt.Fprint(c, post+"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			t.Fatalf("= %q, %v, want 100", line, err)
		}
		_, _ = in.ReadString('\n')
		fmt.Fprint(c, "hi")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		if string(b) != "got hi" {
			t.Errorf("body = %q", b)
		}
		time.Sleep(2 * timeout)
	}
}

func TestHandlerWithoutConnection(t *testing.T) {
	h := httpwire.Handler(httpwire.BodyOptions{}, echo)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hi")))
	if w.Body.String() != "got hi" || w.Header().Get("Content-Length") != "6" {
		t.Errorf("= %q, length %s", w.Body, w.Header().Get("Content-Length"))
	}
}
