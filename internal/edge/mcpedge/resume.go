package mcpedge

import (
	"durward"
	"durward/internal/edge"
	"durward/internal/mcpwire"
	"errors"
	"net/http"
)

// hearing is a GET of a session, on which its agent hears what belongs to no
// call, or comes back to the stream of one.
type hearing struct {
	face *Face
	r    *edge.Request
	call *durward.Call
	conv *conversation
}

func (h *hearing) primes() bool { return mcpwire.Revision(h.call.Session.Revision).EarlyClose() }

// quiet keeps the connection from looking dead, as long as its agent may have it.
func (h *hearing) quiet(out *eventWriter) func() error {
	return func() error {
		if err := h.face.readmit(h.r.Context(), h.call); err != nil {
			return err
		}
		return out.quiet()
	}
}

// resume goes on with the stream of a call behind an event that the agent has
// seen. When nothing is left to tell, or we do not remember, it answers 204,
// which ends an EventSource for good: a 404 would end the session.
func (h *hearing) resume(stream, after uint64) {
	t := h.conv.memory.of(stream)
	var own *reader
	if t != nil {
		own = t.resume(after, h.primes())
	}
	if own == nil {
		h.face.counts.add(streamsUnknown)
		_ = h.r.Answer(http.StatusNoContent, "") // an agent that left needs no answer
		return
	}
	h.face.counts.add(streamsResumed)
	defer close(own.done)
	out := beginEvents(h.r.Exchange)
	err := out.quiet() // said at once, so that the agent sees the header
	if err == nil {
		err = own.box.pour(h.r.Context().Done(), &h.face.rechecks, h.face.opts.KeepAlive, out.send, h.quiet(out))
	}
	t.leave(own, err == nil && h.r.Context().Err() == nil)
}

// news is a stream of what belongs to no call. An agent that was here before
// hears what it missed.
func (h *hearing) news(after uint64, again bool) {
	interest := &h.conv.interest
	own, gap, err := interest.listen(h.r.Context(), h.face.gw, h.call)
	if err != nil {
		sendRejection(h.r, err)
		return
	}
	defer interest.leave(own, h.face.opts.Return)
	out := beginEvents(h.r.Exchange)
	if h.greet(out, after, again, gap) != nil {
		return
	}
	for err == nil && !h.face.isDraining() {
		events, moved, ok := interest.turn(own)
		if !ok {
			return
		}
		err = h.face.hear(h.r.Context(), events, moved, func(e durward.Event) error { return h.tell(out, e) }, h.quiet(out))
		if errors.Is(err, errWatchEnded) {
			interest.lost(events)
		}
	}
	if err == nil && h.primes() {
		_ = out.send([][]byte{h.conv.memory.note(&h.face.kept, nil)}) // when to come back
	}
}

// greet writes the beginning at once, so that the agent sees the header.
func (h *hearing) greet(out *eventWriter, after uint64, again, gap bool) error {
	if err := out.quiet(); err != nil {
		return err
	}
	if h.primes() {
		defer func() { _ = out.send([][]byte{h.conv.memory.note(&h.face.kept, nil)}) }()
	}
	if !again {
		return nil
	}
	h.face.counts.add(streamsResumed)
	missed, known := h.conv.memory.missed(after)
	if len(missed) > 0 {
		if err := out.send(missed); err != nil {
			return err
		}
	}
	if known && !gap {
		return nil
	}
	for _, e := range h.conv.interest.everything() {
		if err := h.tell(out, e); err != nil {
			return err
		}
	}
	return nil
}

func (h *hearing) tell(out *eventWriter, e durward.Event) error {
	msg := mcpwire.AppendNotification(nil, e.Method, e.Params)
	return out.send([][]byte{h.conv.memory.note(&h.face.kept, msg)})
}
