package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"durward/internal/durwardtest"
)

// node is a client of the TypeScript SDK, driven over stdin and stdout.
type node struct {
	in      io.WriteCloser
	version string

	mu      sync.Mutex
	next    int                   // guarded by mu
	waiting map[int]chan response // guarded by mu
}

type response struct {
	ID    int
	Value json.RawMessage
	Error string
}

func connectNode(t *testing.T, to target, k kind) peer {
	t.Helper()
	peers := durwardtest.NewPeers(t)
	settings, _ := json.Marshal(map[string]any{
		"modules": filepath.Join(peers.Dir, "node_modules"), "sdk": k.name, "transport": k.transport,
		"modern": k.modern, "url": to.url, "command": to.command, "key": to.key,
	})
	c := exec.Command(peers.Node, "driver.mjs", string(settings))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("start node: %v", err)
	}
	p := &node{in: in, waiting: map[int]chan response{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.listen(out)
		_ = c.Wait()
	}()
	t.Cleanup(func() {
		_ = in.Close()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
			<-done
		}
	})
	if err := p.do(t.Context(), "connect", nil, &p.version); err != nil {
		t.Fatalf("connect: %v", err)
	}
	if p.version == "" { // 1.x does not tell
		p.version = "2025-11-25"
	}
	return p
}

func (p *node) listen(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		var r response
		if json.Unmarshal(line, &r) == nil {
			p.mu.Lock()
			if ch := p.waiting[r.ID]; ch != nil {
				ch <- r
			}
			delete(p.waiting, r.ID)
			p.mu.Unlock()
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, ch := range p.waiting {
		ch <- response{ID: id, Error: "node has ended"}
	}
	p.waiting = map[int]chan response{}
}

// do runs one command and decodes its value into v.
func (p *node) do(ctx context.Context, op string, args map[string]any, v any) error {
	ch := make(chan response, 1)
	p.mu.Lock()
	p.next++
	id := p.next
	p.waiting[id] = ch
	p.mu.Unlock()
	if err := p.send(id, op, args); err != nil {
		return err
	}
	select {
	case r := <-ch:
		if r.Error != "" {
			return errors.New(r.Error)
		}
		if v == nil {
			return nil
		}
		return json.Unmarshal(r.Value, v)
	case <-ctx.Done():
		_ = p.send(0, "cancel", map[string]any{"target": id})
		return ctx.Err()
	}
}

func (p *node) send(id int, op string, args map[string]any) error {
	command := map[string]any{"id": id, "op": op}
	for k, v := range args {
		command[k] = v
	}
	line, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("encode the command %s: %w", op, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.in.Write(append(line, '\n'))
	return err
}

func (p *node) list(ctx context.Context, op string) (names []string, err error) {
	err = p.do(ctx, op, nil, &names)
	return names, err
}

func (p *node) Version() string { return p.version }
func (p *node) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p.do(ctx, "close", nil, nil)
}
func (p *node) Tools(ctx context.Context) ([]string, error)     { return p.list(ctx, "tools") }
func (p *node) Resources(ctx context.Context) ([]string, error) { return p.list(ctx, "resources") }
func (p *node) Templates(ctx context.Context) ([]string, error) { return p.list(ctx, "templates") }
func (p *node) Prompts(ctx context.Context) ([]string, error)   { return p.list(ctx, "prompts") }

func (p *node) Call(ctx context.Context, tool string, args map[string]any) (a answer, err error) {
	if args == nil {
		args = map[string]any{}
	}
	err = p.do(ctx, "call", map[string]any{"name": tool, "args": args}, &a)
	return a, err
}

func (p *node) Read(ctx context.Context, uri string) (text string, err error) {
	err = p.do(ctx, "read", map[string]any{"uri": uri}, &text)
	return text, err
}

func (p *node) Prompt(ctx context.Context, name string, args map[string]string) (text string, err error) {
	err = p.do(ctx, "prompt", map[string]any{"name": name, "args": args}, &text)
	return text, err
}

func (p *node) Complete(ctx context.Context, prompt, argument, value string) (values []string, err error) {
	err = p.do(ctx, "complete", map[string]any{"prompt": prompt, "argument": argument, "value": value}, &values)
	return values, err
}

func (p *node) Subscribe(ctx context.Context, uri string) error {
	return p.do(ctx, "subscribe", map[string]any{"uri": uri}, nil)
}

func (p *node) Seen() (seen map[string]int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = p.do(ctx, "seen", nil, &seen)
	return seen
}
