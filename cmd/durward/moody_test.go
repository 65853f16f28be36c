package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// moodyServer is a stdio server of 2025-11-25 for stories: it waits, fails and
// dies as it is asked, and writes to $MOODY what was cancelled.
func moodyServer() {
	s := &moody{waiting: map[string]chan struct{}{}}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var m moodyMessage
		if json.Unmarshal(in.Bytes(), &m) == nil {
			s.hear(m)
		}
	}
}

type moodyMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		RequestID json.RawMessage `json:"requestId"`
		Arguments struct {
			MS int    `json:"ms"`
			ID string `json:"id"`
		} `json:"arguments"`
	} `json:"params"`
}

type moody struct {
	mu      sync.Mutex // guards waiting and standard output
	waiting map[string]chan struct{}
}

func (s *moody) hear(m moodyMessage) {
	switch m.Method {
	case "initialize":
		s.answer(m.ID, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"moody","version":"1"}}`)
	case "tools/list":
		tool := `{"name":%q,"description":"Does it.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":%v,"destructiveHint":%v}}`
		s.answer(m.ID, `{"tools":[`+fmt.Sprintf(tool, "wait", true, false)+","+fmt.Sprintf(tool, "work", false, false)+","+
			fmt.Sprintf(tool, "fail", false, false)+","+fmt.Sprintf(tool, "break", false, false)+","+fmt.Sprintf(tool, "wipe", false, true)+`]}`)
	case "notifications/cancelled":
		s.mu.Lock()
		if c := s.waiting[string(m.Params.RequestID)]; c != nil {
			close(c)
			delete(s.waiting, string(m.Params.RequestID))
		}
		s.mu.Unlock()
	case "tools/call":
		s.call(m)
	default:
		if m.ID != nil {
			s.answer(m.ID, `{}`)
		}
	}
}

func (s *moody) call(m moodyMessage) {
	switch m.Params.Name {
	case "wait":
		gone := make(chan struct{})
		s.mu.Lock()
		s.waiting[string(m.ID)] = gone
		s.mu.Unlock()
		go func() {
			note("began")
			select {
			case <-gone:
				note("cancelled")
			case <-time.After(time.Duration(m.Params.Arguments.MS) * time.Millisecond):
				s.answer(m.ID, `{"content":[{"type":"text","text":"waited"}]}`)
			}
		}()
	case "fail":
		s.answer(m.ID, `{"content":[{"type":"text","text":"did not work"}],"isError":true}`)
	case "break":
		s.mu.Lock()
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"broken"}}`+"\n", m.ID)
		s.mu.Unlock()
	default:
		s.answer(m.ID, `{"content":[{"type":"text","text":"done"}]}`)
	}
}

func (s *moody) answer(id json.RawMessage, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", id, result)
}

// note adds a line to the file that the story looks at.
func note(line string) {
	f, err := os.OpenFile(os.Getenv("MOODY"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	fmt.Fprintln(f, line)
	_ = f.Close() // the story will miss the line
}
