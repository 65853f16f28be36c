package mcpedge

import (
	"crypto/rand"
	"durward"
	"durward/internal/edge"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"errors"
	"net/http"
	"sync"
)

// maxLinks bounds the HTTP+SSE connections of all agents.
const maxLinks = 4096

// transportSSE is what Wire.Transport says of HTTP+SSE.
const transportSSE = "sse"

// links holds the HTTP+SSE connections by their secret id.
type links struct {
	mu   sync.RWMutex // guards live
	live map[string]*link
}

func (t *links) add(id string, l *link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.live) >= maxLinks {
		return false
	}
	t.live[id] = l
	return true
}

func (t *links) remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, id)
}

// of returns the connection of an agent; nil for one that is somebody else's.
func (t *links) of(id, agent string) *link {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if l := t.live[id]; l != nil && l.agent == agent {
		return l
	}
	return nil
}

// openSSE is GET /sse, or /sse/NAME for one upstream (MCP 2024-11-05): a stream that first tells where to POST
// and then carries every answer. When it ends the session ends.
func (f *Face) openSSE(r *edge.Request) {
	c, ok := f.admitSSE(r, http.MethodGet)
	if !ok {
		return
	}
	if f.isDraining() {
		f.reject(r, c, shuttingDown())
		return
	}
	like := durward.Call{Wire: c.Wire, Credential: c.Credential, Endpoint: c.Endpoint}
	l := f.newLink(r.Context(), c.Agent.Name, like)
	defer l.close(errAgentLeft)
	id := rand.Text()
	if !f.links.add(id, l) {
		f.reject(r, c, overloaded("Too many HTTP+SSE connections are open."))
		return
	}
	defer f.links.remove(id)
	f.pourSSE(r, c, l, id)
}

func (f *Face) pourSSE(r *edge.Request, c *durward.Call, l *link, id string) {
	out := beginEvents(r.Exchange)
	where := mcpwire.AppendEvent(nil, mcpwire.Event{Event: "endpoint", Data: []byte("/messages?sid=" + id)})
	if _, err := out.out.Write(where); err != nil {
		return
	}
	l.begin(func() { l.retire(f.draining) })
	err := l.out.pour(l.ctx.Done(), &f.rechecks, f.opts.KeepAlive, out.messages, func() error {
		if err := f.readmit(r.Context(), l.likeNow(c)); err != nil {
			return err
		}
		return out.quiet()
	})
	l.cancel(errors.Join(errAgentLeft, err))
}

// retire ends the link when the gateway drains, after the calls under way:
// their answers have no other way.
func (l *link) retire(drained <-chan struct{}) {
	select {
	case <-drained:
		l.linger(l.face.opts.CallTime)
		l.out.close()
	case <-l.ctx.Done():
	}
}

// likeNow is the call that opened the link, with the session it has by now.
func (l *link) likeNow(c *durward.Call) *durward.Call {
	again := *c
	if s := l.current(); s != nil {
		again.SessionID = s.ID
	}
	return &again
}

// postSSE is POST /messages: the answer comes on the stream. The key is needed
// here as well, and must be the same agent's.
func (f *Face) postSSE(r *edge.Request) {
	c, ok := f.admitSSE(r, http.MethodPost)
	if !ok {
		return
	}
	l := f.links.of(r.Query().Get("sid"), c.Agent.Name)
	if l == nil {
		f.reject(r, c, sessionGone())
		return
	}
	c.Endpoint = l.like.Endpoint // the stream's own: /messages is that of all
	if !isJSON(r.Header()["Content-Type"]) {
		sendRefusal(r, http.StatusUnsupportedMediaType, mcpwire.InvalidRequest("POST application/json"))
		return
	}
	body, err := r.Body()
	if err != nil {
		var bad *httpwire.BodyError
		errors.As(err, &bad)
		if bad.Status == http.StatusRequestEntityTooLarge {
			f.reject(r, c, edge.TooLarge(bad.Limit))
			return
		}
		e := mcpwire.InvalidRequest("The request body could not be read: " + http.StatusText(bad.Status))
		f.gw.Refused(r.Context(), c, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: e.Message})
		sendRefusal(r, bad.Status, e)
		return
	}
	l.take(body, c, r.Keep)
	_ = r.Answer(http.StatusAccepted, "") // an agent that left needs no answer
}

func (f *Face) admitSSE(r *edge.Request, method string) (*durward.Call, bool) {
	if r.Method() != method {
		notAllowed(r, method)
		return nil, false
	}
	c := new(durward.Call)
	f.describe(c, r)
	c.Wire.Transport, c.Wire.Revision, c.Method = transportSSE, mcpwire.V20241105, method
	if err := f.gw.Admit(r.Context(), c); err != nil {
		sendRejection(r, err)
		return nil, false
	}
	return c, true
}
