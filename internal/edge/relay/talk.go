package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"

	"durward/internal/mcpwire"
)

// talk is what a client until 2025-11-25 and its gateway have agreed on, as far
// as the next gateway has to hear it.
type talk struct {
	greeting    []byte // params of initialize that were accepted
	revision    []byte // that the client was told, raw
	announced   []byte // the capabilities that it was told, raw
	initialized bool
	level       []byte            // params of the last logging/setLevel
	uris        map[string][]byte // params of resources/subscribe, by URI
}

// maxWatched bounds the resources that are watched on behalf of a client.
const maxWatched = 4096

// learn notes what a request has agreed on.
func (t *talk) learn(m *message, result []byte) {
	switch m.method {
	case mcpwire.MethodInitialize:
		if t.greeting == nil {
			t.greeting = m.params
			t.revision, _ = mcpwire.Field(result, "protocolVersion")
			t.announced, _ = mcpwire.Field(result, "capabilities")
		}
	case mcpwire.MethodSetLevel:
		t.level = m.params
	case mcpwire.MethodSubscribe:
		if uri, ok := mcpwire.FieldText(m.params, "uri"); ok && len(t.uris) < maxWatched {
			if t.uris == nil {
				t.uris = map[string][]byte{}
			}
			t.uris[uri] = m.params
		}
	case mcpwire.MethodUnsubscribe:
		uri, _ := mcpwire.FieldText(m.params, "uri")
		delete(t.uris, uri)
	}
}

// begin introduces the client to a gateway as it was introduced before, sends
// what waits, and lets the client on.
func (r *relay) begin(ctx context.Context, conn Conn) {
	r.sending.Lock()
	defer r.sending.Unlock()
	r.mu.Lock()
	t, round := r.talk, r.round
	t.uris = maps.Clone(t.uris)
	r.mu.Unlock()
	if t.greeting != nil {
		if err := r.introduce(ctx, conn, &t); err != nil {
			if !errors.Is(err, errNoAnswer) {
				r.cancel(err)
			}
			_ = conn.Close() // then another is looked for
			return
		}
	}
	r.flush(conn)
	if t.initialized && round > 1 {
		r.tellChanges(&t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conn, r.met = conn, true
	if r.over {
		_ = conn.CloseWrite()
	}
}

// flush sends what was held.
func (r *relay) flush(conn Conn) {
	for {
		r.mu.Lock()
		if len(r.held) == 0 || r.leaving {
			r.mu.Unlock()
			return
		}
		m := r.unhold(0)
		r.enter(m)
		again := m.method == mcpwire.MethodInitialize && r.talk.initialized
		r.mu.Unlock()
		n, err := write(conn, m.raw)
		if err == nil && again {
			_, err = write(conn, mcpwire.AppendNotification(nil, mcpwire.NotifyInitialized, nil))
		}
		if err != nil {
			r.unsent(m, n)
			return
		}
	}
}

var errNoAnswer = errors.New("the gateway did not answer")

// introduce makes the gateway know a client that was introduced to another.
func (r *relay) introduce(ctx context.Context, conn Conn, t *talk) error {
	ctx, cancel := context.WithTimeout(ctx, greetingTime)
	defer cancel()
	heard := make(chan []byte, 1)
	if r.askOn(conn, mcpwire.MethodInitialize, t.greeting, func(answer []byte) { heard <- answer }) != nil {
		return errNoAnswer
	}
	select {
	case answer := <-heard:
		if err := t.same(answer); err != nil {
			return err
		}
	case <-ctx.Done():
		return errNoAnswer
	}
	if !t.initialized {
		return nil
	}
	if _, err := write(conn, mcpwire.AppendNotification(nil, mcpwire.NotifyInitialized, nil)); err != nil {
		return errNoAnswer
	}
	ignore := func([]byte) {} // the client can do without, and hears of errors when it asks
	if t.level != nil {
		_ = r.askOn(conn, mcpwire.MethodSetLevel, t.level, ignore)
	}
	for _, params := range t.uris {
		_ = r.askOn(conn, mcpwire.MethodSubscribe, params, ignore)
	}
	return nil
}

// same says what of an answer to initialize a client cannot be kept from
// noticing.
func (t *talk) same(answer []byte) error {
	if result, ok := mcpwire.Field(answer, "result"); ok {
		revision, _ := mcpwire.Field(result, "protocolVersion")
		if !bytes.Equal(revision, t.revision) {
			return fmt.Errorf("the gateway speaks revision %s now, and the client was told %s", revision, t.revision)
		}
		return nil
	}
	failed, _ := mcpwire.Field(answer, "error")
	if retry, _ := mcpwire.Path(failed, "data", "retryAfterMs"); retry != nil {
		return errNoAnswer
	}
	said, _ := mcpwire.FieldText(failed, "message")
	return fmt.Errorf("the gateway does not take the client again: %s", said)
}

// tellChanges makes the client read anew what it may have read from the last
// gateway.
func (r *relay) tellChanges(t *talk) {
	for _, l := range lists {
		if on, _ := mcpwire.Path(t.announced, l.capability, "listChanged"); string(on) == "true" {
			r.tell(mcpwire.AppendNotification(nil, l.changed, nil))
		}
	}
	for uri := range t.uris {
		r.tell(mcpwire.AppendNotification(nil, mcpwire.NotifyResourceUpdated, append(mcpwire.AppendQuote([]byte(`{"uri":`), uri), '}')))
	}
}

// ask asks this gateway something of our own; no answer comes when it leaves.
func (r *relay) ask(method string, params []byte, ours func(answer []byte)) {
	go func() { // who hears does not wait for who sends, whom the end of the connection ends
		r.sending.Lock()
		defer r.sending.Unlock()
		r.mu.Lock()
		conn := r.conn
		r.mu.Unlock()
		if conn != nil {
			_ = r.askOn(conn, method, params, ours)
		}
	}()
}

// askOn is ask with sending held.
func (r *relay) askOn(conn Conn, method string, params []byte, ours func(answer []byte)) error {
	id := mcpwire.Quote("durward-" + rand.Text())
	m := &message{raw: mcpwire.AppendRequest(nil, id, method, params), id: id, method: method, ours: ours}
	r.mu.Lock()
	r.enter(m)
	r.mu.Unlock()
	_, err := write(conn, m.raw)
	return err
}
