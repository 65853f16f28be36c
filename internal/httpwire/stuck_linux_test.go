package httpwire_test

import (
	"net"
	"net/url"
	"testing"

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
