package model

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"

	"durward/internal/boot"
	"durward/internal/mcpwire"
)

// duplex is a connection that carries everything of a client both ways. One
// call at a time uses it, so that what comes belongs to that call.
type duplex struct {
	send func(msg string) error
	in   chan message
}

func newDuplex() *duplex { return &duplex{in: make(chan message, 1024)} }

// converse is client.converse over such a connection.
func (d *duplex) converse(ctx context.Context, c *client, body, id, token string, h *heard) (message, error) {
	if err := d.send(body); err != nil {
		return message{}, err
	}
	for {
		select {
		case m, ok := <-d.in:
			if !ok {
				return message{}, errors.New("the connection ended")
			}
			if done, err := c.take(m, id, token, h); done || err != nil {
				return m, err
			}
		case <-ctx.Done():
			return message{}, context.Cause(ctx)
		}
	}
}

// await waits for the answer to a request.
func (d *duplex) await(id string) (message, error) {
	for m := range d.in {
		if m.Method == "" && string(m.ID) == id {
			return m, nil
		}
	}
	return message{}, errors.New("the connection ended")
}

// pipe speaks over stdio with a gateway of this process.
func pipe(t *testing.T, g *boot.Gateway) *duplex {
	t.Helper()
	d := newDuplex()
	fromClient, toGateway := io.Pipe()
	fromGateway, toClient := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := g.ServeStdio(context.Background(), boot.StdioClient{Agent: "model", Endpoint: "fixture", In: fromClient, Out: toClient})
		_ = toClient.Close()
		ended <- err
	}()
	go func() {
		defer close(d.in)
		lines := bufio.NewScanner(fromGateway)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			d.got(t, lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = toGateway.Close()
		if err := <-ended; err != nil {
			t.Errorf("ServeStdio: %v", err)
		}
	})
	d.send = func(msg string) error {
		_, err := io.WriteString(toGateway, msg+"\n")
		return err
	}
	return d
}

// sse speaks HTTP+SSE with the gateway at an address.
func sse(t *testing.T, base string) *duplex {
	t.Helper()
	d := newDuplex()
	resp, err := http.Get(base + "/sse") //nolint:noctx // it ends with its body
	if err != nil {
		t.Fatal(err)
	}
	events := mcpwire.NewEventReader(resp.Body, 8<<20)
	first, err := events.Next()
	if err != nil || first.Event != "endpoint" {
		t.Fatalf("first event = %+v, %v, want the endpoint", first, err)
	}
	to, err := neturl.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	to, err = to.Parse(string(first.Data))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.in)
		for {
			e, err := events.Next()
			if err != nil {
				return
			}
			d.got(t, e.Data)
		}
	}()
	t.Cleanup(func() {
		_ = resp.Body.Close()
		for range d.in { // until the reader has ended
		}
	})
	d.send = func(msg string) error {
		r, err := http.Post(to.String(), "application/json", strings.NewReader(msg)) //nolint:noctx // it is short
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusAccepted {
			return fmt.Errorf("POST = %s", r.Status)
		}
		return nil
	}
	return d
}

func (d *duplex) got(t *testing.T, raw []byte) {
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Errorf("message %s: %v", raw, err)
		return
	}
	d.in <- m
}
