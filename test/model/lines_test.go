package model

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
)

// The environment of this test's binary when it is a server over stdio: which
// revision it speaks, and where it tells what it saw.
const (
	envServer = "MODEL_SERVER"
	envReport = "MODEL_REPORT"
)

// report is what a server elsewhere saw of a script.
type report struct {
	ID  int
	Saw sighting
}

// lineStream writes a message a line.
type lineStream struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (l *lineStream) send(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, msg+"\n") // who left does not hear
}

// serveLines is a server over standard input and output.
func serveLines(revision string) error {
	conn, err := net.Dial("tcp", os.Getenv(envReport))
	if err != nil {
		return err
	}
	defer conn.Close()
	s := newStage()
	told := json.NewEncoder(conn)
	s.tell = func(id int, g sighting) { _ = told.Encode(report{id, g}) } // the test then lacks it
	out := &lineStream{w: os.Stdout}
	take := newerLines(&newer{s}, out)
	if revision != "2026-07-28" {
		take = olderLines(&older{stage: s, newest: revision}, out)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 8<<20)
	for in.Scan() {
		var m message
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			return fmt.Errorf("line %s: %w", in.Bytes(), err)
		}
		take(m)
	}
	return in.Err()
}

func olderLines(o *older, out sender) func(message) {
	var s *olderSession
	return func(m message) {
		switch {
		case m.Method == "initialize":
			s = o.open(m)
			o.take(s, m, out)
		case s == nil && m.ID != nil && m.Method != "":
			unknown(out, m.ID)
		case s != nil && m.Method == "tools/call":
			go o.take(s, m, out)
		case s != nil:
			o.take(s, m, out)
		}
	}
}

func newerLines(n *newer, out sender) func(message) {
	var mu sync.Mutex
	running := map[string]context.CancelFunc{}
	return func(m message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Method == "notifications/cancelled" {
			var p struct{ RequestID json.RawMessage }
			_ = json.Unmarshal(m.Params, &p)
			if cancel := running[string(p.RequestID)]; cancel != nil {
				cancel()
			}
			return
		}
		if m.ID == nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		running[string(m.ID)] = cancel
		go func() {
			n.take(ctx, m, out)
			cancel()
			mu.Lock()
			defer mu.Unlock()
			delete(running, string(m.ID))
		}()
	}
}

// reports gathers what servers elsewhere saw, and returns where they tell it.
func reports(t *testing.T, s *stage) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go gather(conn, s)
		}
	}()
	return l.Addr().String()
}

func gather(conn net.Conn, s *stage) {
	defer conn.Close()
	in := json.NewDecoder(conn)
	for {
		var r report
		if in.Decode(&r) != nil {
			return
		}
		s.note(r.ID, func(g *sighting) { *g = r.Saw })
	}
}
