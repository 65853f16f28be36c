package mcpedge_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"durward/internal/edge/mcpedge"
)

// Who leaves as soon as it has its answer has got it: what it calls next is
// another call, not the same one issued again.
func TestWhoLeavesWithItsAnswerHasGotIt(t *testing.T) {
	h := open(t, mcpedge.Options{})
	var lost atomic.Int32
	h.slow, h.lost = 30*time.Millisecond, func() { lost.Add(1) } // long enough to be watched for leaving
	addr := strings.TrimPrefix(h.url, "http://")
	body, hs := modern("1", "tools/call", `"name":"echo"`)
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 20 {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				_ = h.request(t, body, hs).Write(c)
				r, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.CopyN(io.Discard, r.Body, r.ContentLength); err != nil {
					t.Error(err)
				}
				_ = c.Close()
			}
		})
	}
	callers.Wait()
	soon(t, "the end of all connections", func() bool { return h.server.Conns() == 0 })
	if n := lost.Load(); n > 0 {
		t.Errorf("%d of 320 answers that were read are said to be lost", n)
	}
}
