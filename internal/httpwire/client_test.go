package httpwire_test

import (
	"bufio"
	"context"
	"durward/internal/httpwire"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func client(t *testing.T, o httpwire.ClientOptions) *httpwire.Client {
	c := httpwire.NewClient(o)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *url.URL {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return parse(t, s.URL)
}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDoSendsAndReads(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", r.Header.Get("X-Sent"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(append([]byte(r.Method+" "), b...))
	})
	c := client(t, httpwire.ClientOptions{})
	res, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Header: http.Header{"X-Sent": {"v"}}, Body: httpwire.Bytes([]byte("body"))})
	if err != nil {
		t.Fatal(err)
	}
	body, err := res.ReadAll(100)
	if err != nil || string(body) != "POST body" || res.Status != http.StatusTeapot || res.Header.Get("X-Got") != "v" {
		t.Errorf("got %d %q %v, want 418 \"POST body\"", res.Status, body, err)
	}
}

// Credentials must never travel to where a server points.
func TestARedirectIsNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	target := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.String(), http.StatusTemporaryRedirect)
	})
	res, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Body: httpwire.Bytes([]byte("x"))})
	if err != nil {
		t.Fatal(err)
	}
	res.Discard()
	if res.Status != http.StatusTemporaryRedirect || elsewhere.Load() != 0 {
		t.Errorf("status %d, %d requests elsewhere; want 307 and none", res.Status, elsewhere.Load())
	}
}

func TestTheEnvironmentChoosesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	var viaProxy atomic.Int32
	proxy := serve(t, func(w http.ResponseWriter, _ *http.Request) { viaProxy.Add(1) })
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, tc := range []struct {
		proxy *url.URL
		want  int32
	}{{nil, 0}, {proxy, 1}} {
		res, err := client(t, httpwire.ClientOptions{Proxy: tc.proxy}).Do(t.Context(), &httpwire.Request{Method: "GET", URL: u})
		if err != nil {
			t.Fatal(err)
		}
		res.Discard()
		if got := viaProxy.Load(); got != tc.want {
			t.Errorf("%d requests through the proxy, want %d", got, tc.want)
		}
	}
}

func TestNothingIsDecompressed(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("Accept-Encoding: %s was sent", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("\x1f\x8bnot really"))
	})
	res, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{Method: "GET", URL: u})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := res.ReadAll(100); err != nil || string(b) != "\x1f\x8bnot really" {
		t.Errorf("body %q, %v; want it as sent", b, err)
	}
}

func TestTheBodyIsBounded(t *testing.T) {
	long := strings.Repeat("a", 200<<10)
	for name, handler := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "204800")
			_, _ = io.WriteString(w, long)
		},
		"chunked": func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(long); i += 1024 {
				_, _ = io.WriteString(w, long[i:i+1024])
				_ = http.NewResponseController(w).Flush()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := serve(t, handler)
			c := client(t, httpwire.ClientOptions{})
			for limit, want := range map[int64]error{200<<10 - 1: httpwire.ErrTooLarge, 200 << 10: nil} {
				res, err := c.Do(t.Context(), &httpwire.Request{Method: "GET", URL: u})
				if err != nil {
					t.Fatal(err)
				}
				b, err := res.ReadAll(limit)
				if !errors.Is(err, want) || (want == nil && string(b) != long) {
					t.Errorf("ReadAll(%d) = %d bytes, %v; want %v", limit, len(b), err, want)
				}
			}
		})
	}
}

// A length that lies in either direction is an error or ends where it said.
func TestALyingLengthIsAnError(t *testing.T) {
	u := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
	res, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{Method: "GET", URL: u})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := res.ReadAll(1 << 20); err == nil {
		t.Errorf("ReadAll = %q, want an error", b)
	}
}

func TestAHugeHeadIsRefused(t *testing.T) {
	u := raw(t, "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 100<<10)+"\r\n\r\n")
	if res, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{Method: "GET", URL: u}); err == nil {
		res.Discard()
		t.Error("a head of 100 KiB was accepted")
	}
}

func TestASilentServerEndsTheWait(t *testing.T) {
	release := make(chan struct{})
	u := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	c := client(t, httpwire.ClientOptions{HeaderTimeout: 50 * time.Millisecond})
	if _, err := c.Do(t.Context(), &httpwire.Request{Method: "GET", URL: u}); err == nil {
		t.Error("no error from a server that never answers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client(t, httpwire.ClientOptions{}).Do(ctx, &httpwire.Request{Method: "GET", URL: u}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do = %v, want the deadline", err)
	}
}

// Head and body leave in one write; two cost a fifth of the exchange.
func TestHeadAndBodyLeaveTogether(t *testing.T) {
	l := listen(t)
	first := make(chan int, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 64<<10)
		n, _ := conn.Read(buf)
		first <- n - strings.Index(string(buf[:n]), "\r\n\r\n") - 4
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
	}()
	res, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{
		Method: "POST", URL: parse(t, "http://"+l.Addr().String()), Body: httpwire.Bytes(make([]byte, 1000)),
	})
	if err != nil {
		t.Fatal(err)
	}
	res.Discard()
	if got := <-first; got != 1000 {
		t.Errorf("%d bytes of the body came with the head, want 1000", got)
	}
}

// 64 calls at once, twice, need 64 connections and not more.
func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int32
	gate := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gate }))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c, u := client(t, httpwire.ClientOptions{}), parse(t, s.URL)
	for range 2 {
		done := make(chan error, 64)
		for range 64 {
			go func() {
				res, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Body: httpwire.Bytes([]byte("x"))})
				if err == nil {
					res.Discard()
				}
				done <- err
			}()
		}
		for range 64 {
			select {
			case gate <- struct{}{}:
			case <-time.After(time.Minute):
				t.Fatal("a call did not arrive")
			}
		}
		for range 64 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	if n := opened.Load(); n > 64 {
		t.Errorf("%d connections for 64 calls at a time, want at most 64", n)
	}
}

func TestARequestWithoutAHostIsRefused(t *testing.T) {
	if _, err := client(t, httpwire.ClientOptions{}).Do(t.Context(), &httpwire.Request{Method: "GET", URL: &url.URL{Path: "/"}}); err == nil {
		t.Error("a request without a host was sent")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// raw answers each connection's first request with the bytes as they are.
func raw(t *testing.T, answer string) *url.URL {
	l := listen(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); ; {
					if line, err := r.ReadString('\n'); err != nil || line == "\r\n" {
						break
					}
				}
				_, _ = io.WriteString(conn, answer)
			}()
		}
	}()
	return parse(t, "http://"+l.Addr().String())
}
