package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"durward/internal/edge/relay"
)

const leftBefore = `{"jsonrpc":"2.0","id":%s,"error":{"code":503,"message":"The client has left before a gateway was there; nothing was begun.","data":{"reason":"not_begun"}}}`

// leaves has the client leave, and wants its request 7 to be answered.
func (s *scene) leaves(t *testing.T) {
	t.Helper()
	s.in.Close()
	s.out.wants(t, fmt.Sprintf(leftBefore, "7"))
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// Who leaves while a request waits for a gateway hears that it was not begun:
// between two gateways, at one that begins nothing more, and before the first.
func TestAClientThatLeavesWhileARequestWaits(t *testing.T) {
	call := request("7", "tools/call", `{"name":"x"}`)
	t.Run("between two gateways", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := beginOver(t, relay.Options{}, pipes)
			s.gateway(t).Close()
			synctest.Wait()
			s.send(t, call)
			s.leaves(t)
		})
	})
	t.Run("at a gateway that leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := beginOver(t, relay.Options{}, pipes)
			s.send(t, call)
			g := s.gateway(t)
			g.wants(t, call)
			g.say(t, fmt.Sprintf(notBegun, "7"))
			synctest.Wait()
			go func() {
				for range g.read { // until the client has left
				}
				g.Close()
			}()
			s.leaves(t)
		})
	})
	t.Run("before the first gateway", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := beginOver(t, relay.Options{First: time.Hour}, pipes)
			s.send(t, call)
			s.leaves(t)
		})
	})
}

// torn reads the beginning of what it is sent and shuts its side.
type torn struct{ pipe }

func (p torn) Read(b []byte) (int, error) {
	n, err := p.PipeReader.Read(b[:min(len(b), 60)])
	return n, errors.Join(err, p.PipeReader.Close())
}

// A gateway that got a part of a request complains of that. The next one gets
// it whole, and answers it.
func TestAPartOfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := beginOver(t, relay.Options{}, func() (relay.Conn, io.ReadWriteCloser, error) {
			conn, there, err := pipes()
			if first {
				there = torn{there.(pipe)}
			}
			first = false
			return conn, there, err
		})
		call := request("1", "tools/call", `{"name":"a","arguments":{"x":"`+strings.Repeat("y", 100)+`"}}`)
		s.send(t, call)
		g := s.gateway(t)
		g.wants(t, call[:60])
		synctest.Wait()
		g.say(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32700,"message":"The message could not be read"}}`)
		g.Close()
		g = s.gateway(t)
		g.wants(t, call)
		g.say(t, result("1", "{}"))
		s.out.wants(t, result("1", "{}"))
		s.end(t, g)
	})
}

// A client that does not read keeps nothing from ending.
func TestAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there, err := pipes()
		if err != nil {
			t.Fatal(err)
		}
		g := listen(there, there)
		ctx, stop := context.WithCancel(t.Context())
		in, _ := io.Pipe()
		out, w := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- relay.Run(ctx, in, w, relay.Options{Connect: func(context.Context) (relay.Conn, error) { return here, nil }})
		}()
		g.say(t, toolsChanged)
		g.say(t, toolsChanged)
		stop()
		if err := within(t, ended, "end"); err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := errors.Join(in.Close(), out.Close()); err != nil { // ends what is stuck
			t.Error(err)
		}
	})
}
