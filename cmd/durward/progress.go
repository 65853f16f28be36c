package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// progress is the moving line of a call that takes its time.
type progress struct {
	a     *app
	label string
	began time.Time
	done  chan struct{}
	wg    sync.WaitGroup

	mu   sync.Mutex // guards last and the screen
	last string
}

// progress starts the line. It appears after half a second, only on a terminal.
func (a *app) progress(label string) *progress {
	p := &progress{a: a, label: oneLine(label), began: time.Now(), done: make(chan struct{})}
	if a.err.tty {
		p.wg.Go(p.tick)
	}
	return p
}

func (p *progress) tick() {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-t.C:
			p.mu.Lock()
			p.show()
			p.mu.Unlock()
		}
	}
}

// show draws the line; the caller holds mu.
func (p *progress) show() {
	text := fmt.Sprintf("%s  %ds", p.label, int(time.Since(p.began).Seconds()))
	if p.last != "" {
		text += "  " + p.last
	}
	p.a.err.moving(text)
}

// stop removes the line and waits until nothing draws it any more.
func (p *progress) stop() {
	close(p.done)
	p.wg.Wait()
	p.a.err.erase()
}

// heard takes the notifications of the call.
func (p *progress) heard(method string, params json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "notifications/progress":
		p.last = progressText(params)
		p.show()
	case "notifications/message":
		p.a.err.erase()
		p.a.err.line("%s", p.a.err.dim(logText(params)))
	}
}

func progressText(params json.RawMessage) string {
	var n struct {
		Progress float64 `json:"progress"`
		Total    float64 `json:"total"`
		Message  string  `json:"message"`
	}
	if json.Unmarshal(params, &n) != nil {
		return ""
	}
	text := fmt.Sprintf("%g", n.Progress)
	if n.Total > 0 {
		text = fmt.Sprintf("%g of %g", n.Progress, n.Total)
	}
	if n.Message != "" {
		text += "  " + oneLine(n.Message)
	}
	return text
}

func logText(params json.RawMessage) string {
	var n struct {
		Level  string          `json:"level"`
		Logger string          `json:"logger"`
		Data   json.RawMessage `json:"data"`
	}
	if json.Unmarshal(params, &n) != nil {
		return ""
	}
	text := string(n.Data)
	var plain string
	if json.Unmarshal(n.Data, &plain) == nil {
		text = plain
	}
	return fmt.Sprintf("[%s %s] %s", oneLine(n.Level), oneLine(n.Logger), oneLine(text))
}
