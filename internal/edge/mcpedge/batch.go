package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"net/http"
	"slices"
	"sync"
)

// batch serves an array of messages, which only sessions of 2025-03-26 may
// send. Its requests run side by side and are answered together.
func (p *post) batch(body []byte) {
	if v := p.r.Get(mcpwire.HeaderVersion); v != "" && !mcpwire.KnownLegacy(v) {
		p.refuse(http.StatusBadRequest, mcpwire.InvalidRequest("A batch is not allowed in this revision"))
		return
	}
	if !p.attachSession() {
		return
	}
	if !mcpwire.Revision(p.call.Session.Revision).Batches() {
		p.refuse(http.StatusBadRequest, mcpwire.InvalidRequest("A batch is not allowed in this revision"))
		return
	}
	ms, err := mcpwire.ScanBatch(body, p.face.opts.Limits, p.face.opts.Batch)
	if err != nil {
		p.unreadable(err)
		return
	}
	ctx, cancel := context.WithCancelCause(p.face.base)
	defer cancel(nil)
	if slices.ContainsFunc(ms, func(m mcpwire.Message) bool { return m.Kind == mcpwire.Request || m.Fault != nil }) {
		defer p.stream.afterSilence(p.face.opts.CallTime, func() { cancel(context.DeadlineExceeded) })()
	} else {
		p.stream.events, p.stream.json = false, true // nothing will be answered
	}
	joined := p.face.runBatch(ctx, ms, &p.call, p.conv, &p.stream)
	switch {
	case p.stream.finish(func() []byte { return joined }):
		p.face.lost(&p.call, p.stream.dropped)
	case joined == nil:
		p.accepted()
	default:
		_ = p.r.Answer(http.StatusOK, typeJSON, joined) // an agent that left needs no answer
	}
}

// runBatch takes the messages of a batch and returns the answers to its
// requests as an array; nil when it had none. like is an admitted call of the
// same session.
func (f *Face) runBatch(ctx context.Context, ms []mcpwire.Message, like *durward.Call, conv *conversation, out outlet) []byte {
	answers := make([][]byte, len(ms))
	var group sync.WaitGroup
	for i := range ms {
		m := &ms[i]
		switch {
		case m.Fault != nil:
			answers[i] = f.faulty(ctx, m, like, conv)
		case m.Kind == mcpwire.Response:
			f.answered(conv, m)
		case m.Kind == mcpwire.Notification:
			f.notified(conv, m)
		default:
			group.Go(func() { answers[i] = f.runOne(ctx, m, like, conv, out) })
		}
	}
	group.Wait()
	var joined []byte
	for _, a := range answers {
		switch {
		case a == nil:
			continue
		case joined == nil:
			joined = append(joined, '[')
		default:
			joined = append(joined, ',')
		}
		joined = append(joined, a...)
	}
	if joined == nil {
		return nil
	}
	return append(joined, ']')
}

// faulty answers a message of a batch that is none.
func (f *Face) faulty(ctx context.Context, m *mcpwire.Message, like *durward.Call, conv *conversation) []byte {
	conv.spoil(m.Fault)
	t := &turn{call: *like}
	t.call.ID = newID(like.Received)
	return f.refused(ctx, t, m.Fault.RPC()).message(m.ID)
}

func (f *Face) runOne(ctx context.Context, m *mcpwire.Message, like *durward.Call, conv *conversation, out outlet) (reply []byte) {
	t := &turn{call: *like}
	t.call.ID = newID(like.Received)
	defer f.rescue(&t.call, func(bug error) { reply = t.failed(bug).message(m.ID) })
	d, bad := mcpwire.ClassifyStdio(m)
	t.fill(m, d)
	t.attach(conv)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.prepare(t, out)
	var a answer
	switch {
	case bad != nil:
		a = f.refused(ctx, t, bad.Err)
	case d.Modern || m.Method == mcpwire.MethodInitialize:
		a = f.refused(ctx, t, mcpwire.InvalidRequest("This method cannot be part of a batch"))
	default:
		a = f.run(ctx, t, cancel)
	}
	if a.silent {
		return nil
	}
	return a.message(t.id)
}
