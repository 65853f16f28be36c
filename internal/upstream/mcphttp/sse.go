package mcphttp

import (
	"context"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// SSE is a conversation of the HTTP+SSE transport of 2024-11-05: everything
// that the server says comes on one stream, everything that we say is posted
// to the address that the stream names first.
type SSE struct {
	*link.Mux
	e       Endpoint
	welcome link.Welcome
	target  *url.URL
	post    http.Header
	cancel  context.CancelFunc
	running sync.WaitGroup
}

var _ link.Conn = (*SSE)(nil)

// OpenSSE opens the stream and performs the handshake. ctx bounds both and
// nothing beyond.
func OpenSSE(ctx context.Context, e Endpoint, o Options) (*SSE, error) {
	s := &SSE{e: e.prepared()}
	s.post = s.e.header("Content-Type", mediaJSON, "Accept", acceptBoth)
	s.Mux = link.NewMux(link.MuxOptions{
		Send: s.send, Event: o.Event, Orphan: o.Orphan, Counters: e.Counters, Limits: e.Limits, Log: e.Log,
	})
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	w, err := link.Initialize(ctx, s, o.NextID(), o.Hello)
	if err == nil {
		s.welcome = w
		if mcpwire.Revision(w.Revision).VersionHeader() {
			h := s.post.Clone() // a post may be on its way
			h[mcpwire.HeaderVersion] = []string{w.Revision}
			err = s.deliver(ctx, h, mcpwire.AppendNotification(nil, mcpwire.NotifyInitialized, nil))
		} else {
			err = s.Notify(ctx, mcpwire.NotifyInitialized, nil)
		}
	}
	if err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// open gets the stream and waits for the address to post to.
func (s *SSE) open(ctx context.Context) error {
	life, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel) // until the address is known
	res, err := s.e.send(life, http.MethodGet, s.e.URL, s.e.header("Accept", mediaEvents), nil)
	if err != nil {
		cancel()
		return orContext(ctx, err)
	}
	if res.Status != http.StatusOK || mediaType(res.Header) != mediaEvents {
		cancel()
		res.Discard()
		return &link.Fault{Kind: kindOfStatus(res.Status), Status: res.Status, Err: errors.New("the server has no stream of events")}
	}
	s.cancel = cancel
	events := mcpwire.NewEventReader(res.Body, s.e.Limits.Message)
	if s.target, err = s.address(events); err != nil {
		cancel()
		_ = res.Body.Close()
		return orContext(ctx, err)
	}
	if !stop() {
		_ = res.Body.Close()
		return ctx.Err()
	}
	s.running.Go(func() { s.read(res.Body, events) })
	return nil
}

func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// address waits for the endpoint event. What it names has to be of the origin
// that the operator declared: credentials are sent there.
func (s *SSE) address(events *mcpwire.EventReader) (*url.URL, error) {
	for range 100 {
		ev, err := events.Next()
		if err != nil {
			return nil, link.Faultf(link.Garbled, "the stream ended before it named where to post: %w", err)
		}
		if ev.Event != "endpoint" {
			continue
		}
		ref, err := url.Parse(strings.TrimSpace(string(ev.Data)))
		if err != nil {
			return nil, link.Faultf(link.Garbled, "the server names no address to post to: %w", err)
		}
		u := s.e.URL.ResolveReference(ref)
		if !sameOrigin(u, s.e.URL) || u.User != nil {
			return nil, link.Faultf(link.Garbled, "the server names an address of another origin, %.100q", u.Redacted())
		}
		u.Fragment = ""
		return u, nil
	}
	return nil, link.Faultf(link.Garbled, "the server does not name where to post")
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	}
	return "80"
}

func (s *SSE) read(body io.ReadCloser, events *mcpwire.EventReader) {
	defer body.Close()
	for {
		ev, err := events.Next()
		if err != nil {
			s.Fail(&link.Fault{Kind: link.Broken, Err: fmt.Errorf("the stream of the server ended: %w", err)})
			return
		}
		if speaks(&ev) {
			s.Receive(ev.Data)
		}
		if s.Err() != nil {
			return
		}
	}
}

func (s *SSE) send(ctx context.Context, message []byte) error {
	return s.deliver(ctx, s.post, message)
}

// deliver posts one message. The answer comes on the stream; what the post
// itself is answered with is of no use, its status aside.
func (s *SSE) deliver(ctx context.Context, h http.Header, message []byte) error {
	res, err := s.e.send(ctx, http.MethodPost, s.target, h, httpwire.Bytes(message))
	if err != nil {
		return err
	}
	res.Discard()
	switch {
	case res.Status >= 200 && res.Status < 300:
		return nil
	case res.Status == http.StatusNotFound || res.Status == http.StatusBadRequest || res.Status == http.StatusGone:
		lost := &link.Fault{Kind: link.Lost, Status: res.Status, Err: errors.New("the server no longer knows the session")}
		s.Fail(lost)
		if res.Status == http.StatusBadRequest {
			return lost
		}
		return link.Undone(lost) // what was posted to is the session, and it is not there (RFC 9110, section 15.5.5)
	}
	return &link.Fault{Kind: kindOfStatus(res.Status), Status: res.Status, Err: errors.New("the server refused a message")}
}

// Welcome is what the server said of itself.
func (s *SSE) Welcome() link.Welcome { return s.welcome }

// Close ends the stream, and with it the session.
func (s *SSE) Close(context.Context) {
	s.Fail(&link.Fault{Kind: link.Broken, Err: errors.New("closed by the gateway")})
	s.cancel()
	s.Wait()
	s.running.Wait()
}
