package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever simpleRequest takes, net/http reads the same way; what it leaves is
// left whole.
func FuzzSimpleRequest(f *testing.F) {
	for _, seed := range []string{
		"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nAccept: a, b\r\n\r\n{}",
		"GET /mcp/files?x=1 HTTP/1.1\r\nhost: [::1]:80\r\nConnection: Keep-Alive\r\nX: 1\r\nX: 2\r\n\r\n",
		"DELETE /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"POST /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\n{}",
		"POST /mcp HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}",
		"POST /a%2fb?%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST //a/b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST http://b/mcp HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /? HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		c := &frontConn{in: bufio.NewReader(strings.NewReader(wire))}
		if _, err := c.in.Peek(1); err != nil {
			return
		}
		before := c.in.Buffered()
		ours, ok := c.simpleRequest()
		if !ok {
			if c.in.Buffered() != before {
				t.Fatalf("%d of %d bytes are gone of a head that was left to net/http", before-c.in.Buffered(), before)
			}
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Fatalf("net/http refuses what was taken: %v", err)
		}
		if ours.Method != theirs.Method || *ours.URL != *theirs.URL || ours.RequestURI != theirs.RequestURI || ours.Host != theirs.Host ||
			ours.ContentLength != theirs.ContentLength || theirs.Close || len(theirs.TransferEncoding) > 0 {
			t.Fatalf("%+v\nnet/http reads\n%+v", ours, theirs)
		}
		if !maps.EqualFunc(ours.Header, theirs.Header, slices.Equal[[]string]) {
			t.Fatalf("%v; net/http reads %v", ours.Header, theirs.Header)
		}
	})
}

// frontOf starts a server of h and returns its address.
func frontOf(t *testing.T, o ServerOptions, h http.HandlerFunc) (addr string, s *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = NewServer(h, o)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = s.Shutdown(context.WithoutCancel(ctx))
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String(), s
}

// talk is a client that says what it is told.
type talk struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func dial(t *testing.T, addr string) *talk {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &talk{c, bufio.NewReader(c), t}
}

func (k *talk) say(text string) {
	k.t.Helper()
	if _, err := io.WriteString(k, text); err != nil {
		k.t.Fatal(err)
	}
}

// hear reads an answer.
func (k *talk) hear() (*http.Response, string) {
	k.t.Helper()
	res, err := http.ReadResponse(k.in, nil)
	if err != nil {
		k.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		k.t.Fatalf("half an answer: %q, %v", body, err)
	}
	return res, string(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
}

// One connection may bring simple requests, some of them at once, and then
// others: each has its answer, in order, whoever serves it.
func TestAConnectionIsServedWhateverComes(t *testing.T) {
	addr, _ := frontOf(t, ServerOptions{}, echo)
	k := dial(t, addr)
	k.say("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1" +
		"GET /b HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n" +
		"POST /d%41 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n3")
	for _, want := range []string{"POST /a 1", "GET /b ", "POST /c 2", "POST /dA 3"} {
		if _, got := k.hear(); got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	}
}

// What is no simple request gets the answer that net/http gives.
func TestOddRequests(t *testing.T) {
	addr, s := frontOf(t, ServerOptions{HeaderTimeout: 2 * time.Second}, echo)
	for name, c := range map[string]struct {
		say    string
		status int
	}{
		"no host":        {"GET / HTTP/1.1\r\n\r\n", 400},
		"lines of LF":    {"GET / HTTP/1.1\nHost: h\n\n", 200},
		"1.0":            {"GET / HTTP/1.0\r\n\r\n", 200},
		"two lengths":    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"space in name":  {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\na", 400},
		"not HTTP":       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"long head":      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 200},
		"too long head":  {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 431},
		"expect":         {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", 100},
		"unknown method": {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			k := dial(t, addr)
			k.say(c.say)
			res, err := http.ReadResponse(k.in, nil)
			if err != nil || res.StatusCode != c.status {
				t.Fatalf("%v, %v; want %d", res, err, c.status)
			}
		})
	}
	k := dial(t, addr)
	k.say("POST /a HTTP/1.1\r\nHost: h\r\nContent-Le") // and no more
	if res, err := http.ReadResponse(k.in, nil); err != nil || res.StatusCode != http.StatusRequestTimeout || !res.Close {
		t.Errorf("a head that does not come ends with %v, %v; want 408 and the connection closed", res, err)
	}
	if _, err := k.in.ReadByte(); err != io.EOF {
		t.Errorf("then comes %v, want the connection closed", err)
	}
	waitFor(t, "connections to be counted out", func() bool { return s.Conns() < 12 })
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A client that leaves during a long call ends its context; a call that takes
// long ends nobody's connection.
func TestLongCallsAreWatched(t *testing.T) {
	left := make(chan error, 1)
	addr, _ := frontOf(t, ServerOptions{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		if r.URL.Path == "/short" {
			time.Sleep(3 * watchAfter)
			_, _ = io.WriteString(w, "done")
			return
		}
		select {
		case <-r.Context().Done():
			left <- r.Context().Err()
		case <-time.After(time.Minute):
			left <- nil
		}
	})
	k := dial(t, addr)
	for range 3 {
		k.say("POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1")
		if _, got := k.hear(); got != "done" {
			t.Fatalf("answer %q", got)
		}
	}
	k.say("POST /short HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1")
	time.Sleep(2 * watchAfter)
	k.say("POST /long HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n12") // behind it, while it is watched
	if _, got := k.hear(); got != "done" {
		t.Fatalf("answer %q", got)
	}
	k.say("3")
	time.Sleep(2 * watchAfter)
	_ = k.Close()
	if err := <-left; err == nil {
		t.Error("the call did not hear that its client left")
	}
}

// Answers of every form arrive as they were written.
func TestAnswers(t *testing.T) {
	large := strings.Repeat("0123456789", 30_000)
	addr, _ := frontOf(t, ServerOptions{}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusAccepted)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/large":
			_, _ = io.WriteString(w, "<")
			_, _ = io.WriteString(w, large)
			_, _ = io.WriteString(w, ">")
		case "/parts":
			h := w.Header()
			h.Set("Content-Length", fmt.Sprint(len(large)+2))
			w.WriteHeader(http.StatusOK)
			_ = w.(*frontWriter).writeParts([][]byte{[]byte("<"), []byte(large), []byte(">")})
		case "/flushed":
			w.Header().Set("X-Two", "a\r\nInjected: b")
			for _, s := range []string{"a", "b", large, "c"} {
				_, _ = io.WriteString(w, s)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	k := dial(t, addr)
	for path, want := range map[string]struct {
		status int
		body   string
		length int64
	}{
		"/empty":   {202, "", 0},
		"/none":    {204, "", 0},
		"/large":   {200, "<" + large + ">", -1},
		"/parts":   {200, "<" + large + ">", int64(len(large) + 2)},
		"/flushed": {200, "ab" + large + "c", -1},
	} {
		for range 2 {
			k.say("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
			res, body := k.hear()
			if res.StatusCode != want.status || body != want.body || res.ContentLength != want.length {
				t.Errorf("%s: %d, %d bytes, length %d", path, res.StatusCode, len(body), res.ContentLength)
			}
			if res.Header.Get("Date") == "" || res.Header.Get("Injected") != "" {
				t.Errorf("%s: header %v", path, res.Header)
			}
		}
	}
}

// A handler that writes too little, or falls, cuts the connection: what was
// promised does not come.
func TestBrokenHandlers(t *testing.T) {
	var log bytes.Buffer
	addr, s := frontOf(t, ServerOptions{Log: slog.New(slog.NewTextHandler(&log, nil))}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "12345")
		if r.URL.Path == "/falls" {
			panic("on purpose")
		}
		if _, err := io.WriteString(w, "678901"); !errors.Is(err, http.ErrContentLength) {
			t.Errorf("writing more than was declared: %v", err)
		}
	})
	for _, path := range []string{"/short", "/falls"} {
		k := dial(t, addr)
		k.say("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		if all, err := io.ReadAll(k); err != nil || strings.HasSuffix(string(all), "1234567890") {
			t.Errorf("%s: %q, %v", path, all, err)
		}
	}
	waitFor(t, "the connections to end", func() bool { return s.Conns() == 0 })
	if !strings.Contains(log.String(), "on purpose") {
		t.Errorf("the log does not tell of the panic: %s", log.String())
	}
}

// An answer reaches a client that is still sending a body which nobody reads.
func TestABodyThatNobodyReads(t *testing.T) {
	addr, _ := frontOf(t, ServerOptions{}, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	k := dial(t, addr)
	k.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000))
	if res, _ := k.hear(); res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", res.StatusCode)
	}
	if _, err := k.in.ReadByte(); err != io.EOF {
		t.Errorf("after it: %v, want the connection closed", err)
	}
}

// Shutdown lets the call under way end, tells its client that the connection
// ends, and closes those that wait.
func TestShutdownOfTheFront(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	addr, s := frontOf(t, ServerOptions{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-goOn
		}
		_, _ = io.WriteString(w, "ok")
	})
	idle, busy := dial(t, addr), dial(t, addr)
	idle.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	idle.hear()
	busy.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	if _, err := idle.in.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection ends with %v", err)
	}
	select {
	case err := <-down:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if res, body := busy.hear(); body != "ok" || !res.Close {
		t.Errorf("%q, close %v", body, res.Close)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		t.Error("it still listens")
	}
}

// When time is up, what is under way is cancelled and cut.
func TestShutdownByForce(t *testing.T) {
	begun := make(chan struct{})
	addr, s := frontOf(t, ServerOptions{}, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	k := dial(t, addr)
	k.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all ended by itself")
	}
	_, _ = io.ReadAll(k) // to the end of the connection, or the test's deadline
	waitFor(t, "the connection to end", func() bool { return s.Conns() == 0 })
}
