package httpwire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"durward/internal/httpwire"
)

// What a server has not read of a request would be before the next one: it is
// sent on another connection.
func TestAConnectionThatIsStuckIsNotUsedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leave := make(chan struct{})
	hasty(t, l, "", leave)
	defer close(leave)
	c := httpwire.NewClient(httpwire.ClientOptions{})
	t.Cleanup(c.Close)
	for range 3 {
		tooLarge(t, c, &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}, 300<<10)
	}
}

// A server that has answered may read no more, and close nothing either.
func TestAServerThatAnswersAndDoesNotReadOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leave := make(chan struct{})
	hasty(t, l, "", leave)
	defer close(leave)
	c := httpwire.NewClient(httpwire.ClientOptions{})
	t.Cleanup(c.Close)
	tooLarge(t, c, &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}, 32<<20)
}

// One that reads slowly gets all of a request, whatever it takes.
func TestAServerThatReadsSlowly(t *testing.T) {
	const size = 24 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		time.Sleep(700 * time.Millisecond) // the client's buffers are full, and its time is over
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%d", n)
	}()
	c := httpwire.NewClient(httpwire.ClientOptions{})
	t.Cleanup(c.Close)
	u := &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/"}
	if got, err := exchangeText(t, c, u, strings.Repeat("x", size)); err != nil || got != fmt.Sprint(size) {
		t.Errorf("the server read %q of %d bytes, %v", got, size, err)
	}
}
