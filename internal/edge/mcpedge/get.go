package mcpedge

import (
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/mcpwire"
	"errors"
	"net/http"
	"time"
)

// get is a stream of a session (revisions until 2025-11-25). An event id that
// is none of ours, such as one of a session before, is like none.
func (f *Face) get(r *edge.Request) {
	c, conv := f.admitStream(r)
	if conv == nil {
		return
	}
	if _, events := accepts(r.Header()["Accept"]); !events {
		sendRefusal(r, http.StatusNotAcceptable, mcpwire.InvalidRequest("This stream needs Accept: text/event-stream"))
		return
	}
	h := &hearing{face: f, r: r, call: c, conv: conv}
	stream, after, again := placeOf(r.Get(mcpwire.HeaderLastEvent))
	if again && stream != 0 {
		h.resume(stream, after)
		return
	}
	if f.isDraining() {
		f.reject(r, c, shuttingDown())
		return
	}
	h.news(after, again)
}

// delete ends a session (revisions until 2025-11-25).
func (f *Face) delete(r *edge.Request) {
	c, conv := f.admitStream(r)
	if conv == nil {
		return
	}
	if err := f.gw.CloseSession(r.Context(), c); err != nil {
		sendRejection(r, err)
		return
	}
	f.talks.end(c.SessionID)
	_ = r.Answer(http.StatusNoContent, "") // an agent that left needs no answer
}

// admitStream admits a GET or DELETE, which only sessions know. It returns no
// conversation when it has answered already.
func (f *Face) admitStream(r *edge.Request) (*durward.Call, *conversation) {
	c := new(durward.Call)
	f.describe(c, r)
	c.Method = r.Method()
	version, session := r.Get(mcpwire.HeaderVersion), r.Get(mcpwire.HeaderSession)
	if session == "" || mcpwire.Modern(version) {
		if err := f.gw.Admit(r.Context(), c); err != nil {
			sendRejection(r, err)
			return nil, nil
		}
		if session == "" || c.Agent.Compat != durward.Tolerant {
			notAllowed(r, http.MethodPost)
			return nil, nil
		}
	}
	c.SessionID, c.Wire.Revision = session, version
	conv, err := f.admitSession(r.Context(), c)
	if err != nil {
		sendRejection(r, err)
		return nil, nil
	}
	if version != "" && !mcpwire.KnownLegacy(version) && !f.overlook(c, mcpwire.FaultVersionWrong) {
		sendRefusal(r, http.StatusBadRequest, mcpwire.InvalidRequest("Unsupported MCP-Protocol-Version"))
		return nil, nil
	}
	return c, conv
}

// sendRejection answers a request that is no JSON-RPC call with an error.
// reject records that an admitted request is turned away, and tells it.
func (f *Face) reject(r *edge.Request, c *durward.Call, err error) {
	f.gw.Refused(r.Context(), c, durward.AsError(err))
	sendRejection(r, err)
}

func sendRejection(r *edge.Request, err error) {
	a := rejected(err)
	edge.SetErrorHeaders(r.Exchange, r.Credential, a.from)
	sendRefusal(r, a.status, a.err)
}

func sendRefusal(r *edge.Request, status int, e *durward.RPCError) {
	_ = r.Answer(status, typeJSON, mcpwire.AppendError(nil, nil, e)) // an agent that left needs no answer
}

var errWatchEnded = errors.New("the watch has ended")

// hear passes events on until the agent leaves, a newer stream takes over, the
// gateway drains or passing on fails. While nothing happens it calls quiet.
func (f *Face) hear(ctx context.Context, events <-chan durward.Event, taken <-chan struct{}, tell func(durward.Event) error, quiet func() error) error {
	silence := time.NewTicker(f.opts.KeepAlive)
	defer silence.Stop()
	again := f.rechecks.wait()
	for {
		var err error
		select {
		case <-again:
			again = f.rechecks.wait()
			err = quiet()
		case e, ok := <-events:
			if !ok {
				return errWatchEnded
			}
			err = tell(e)
		case <-silence.C:
			err = quiet()
		case <-taken:
			return nil
		case <-f.draining:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// readmit finds out whether who opened a stream may still have it: keys are
// revoked and sessions end while streams are open.
func (f *Face) readmit(ctx context.Context, c *durward.Call) error {
	again := durward.Call{
		ID: c.ID, Wire: c.Wire, Credential: c.Credential, Local: c.Local, Received: time.Now(),
		Endpoint: c.Endpoint, SessionID: c.SessionID, Method: c.Method,
	}
	return f.gw.Admit(ctx, &again)
}
