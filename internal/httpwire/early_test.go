package httpwire_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"durward/internal/httpwire"
)

// hasty answers requests before it has read them, one on a connection, and
// closes each when told to.
func hasty(t *testing.T, l net.Listener, more string, leave <-chan struct{}) {
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if tcp, ok := c.(*net.TCPConn); ok {
					_ = tcp.SetReadBuffer(16 << 10)
				}
				_, _ = c.Read(make([]byte, 1000))
				_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n"+more+"\r\nlarge")
				<-leave
				_ = c.Close()
			}()
		}
	}()
}

func tooLarge(t *testing.T, c *httpwire.Client, u *url.URL, size int) {
	t.Helper()
	res, err := c.Do(t.Context(), &httpwire.Request{Method: "POST", URL: u, Body: httpwire.Bytes(make([]byte, size))})
	if err != nil || res.Status != http.StatusRequestEntityTooLarge {
		t.Fatalf("Do of %d bytes = %v, %v; want 413", size, res, err)
	}
	if b, err := res.ReadAll(10); err != nil || string(b) != "large" {
		t.Fatalf("the answer to %d bytes = %q, %v", size, b, err)
	}
}

// A server may answer, and close, before it has read a request. The answer that
// is there counts, not that the rest of the request could not be sent.
func TestTheAnswerOfAServerThatClosesEarly(t *testing.T) {
	now := make(chan struct{})
	close(now)
	key := httptest.NewUnstartedServer(http.NotFoundHandler())
	key.StartTLS()
	t.Cleanup(key.Close)
	for _, scheme := range []string{"http", "https"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		u := &url.URL{Scheme: scheme, Host: l.Addr().String(), Path: "/"}
		if scheme == "https" {
			l = tls.NewListener(l, &tls.Config{Certificates: key.TLS.Certificates})
		}
		hasty(t, l, "Connection: close\r\n", now)
		c := httpwire.NewClient(httpwire.ClientOptions{TLS: &tls.Config{InsecureSkipVerify: true}}) //nolint:gosec // a test's own server
		t.Cleanup(c.Close)
		for range 20 {
			tooLarge(t, c, u, 1500<<10)
		}
	}
}
