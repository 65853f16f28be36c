package httpwire_test

import (
	"durward/internal/httpwire"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Python's urllib, among others, reads no answer before it has sent the whole body.
func TestClientsThatSendBeforeTheyReadGetTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		serve  func(*httpwire.Exchange)
		status string
	}{"over the limit": {echo, "413"}, "not wanted": {ignore, "401"}} {
		t.Run(name, func(t *testing.T) {
			_, addr := served(t, httpwire.BodyOptions{Limit: 4 << 20}, httpwire.ServerOptions{}, c.serve)
			for _, framing := range []string{
				fmt.Sprintf("Content-Length: %d\r\n\r\n", 6_000_000),
				fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", 6_000_000),
			} {
				answer, closed := talk(t, addr, post+framing+strings.Repeat("x", 6_000_000), time.Minute)
				if !strings.HasPrefix(answer, "HTTP/1.1 "+c.status) || !closed {
					t.Errorf("%.20s: answer = %.40q, want %s and the end", framing, answer, c.status)
				}
			}
		})
	}
}

func TestABodyWithoutEndIsNotDrainedForEver(t *testing.T) {
	_, addr := served(t, httpwire.BodyOptions{Limit: 64 << 10}, httpwire.ServerOptions{}, echo)
	began := time.Now()
	_, _, err := say(addr, post+"Content-Length: 1000000000\r\n\r\n"+strings.Repeat("x", 50<<20), time.Minute)
	if err == nil || time.Since(began) > 50*time.Second {
		t.Errorf("50 MiB were taken (%v) within %v", err, time.Since(began))
	}
}
