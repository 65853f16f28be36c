package mcphttp

import (
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// listen keeps the GET stream of a session open until the session ends or the
// server has none.
func (l *Legacy) listen() {
	s := stream{retry: retryDefault}
	stands := sync.OnceFunc(func() { close(l.ear) })
	defer stands()
	for wait := time.Duration(0); ; {
		if link.Pause(l.ctx, wait) != nil {
			return
		}
		began := time.Now()
		if !l.listenOnce(&s, stands) {
			return
		}
		// A stream that ends at once is asked for less and less often.
		if time.Since(began) > time.Minute {
			wait = 0
		}
		wait = min(max(s.retry, wait*2), time.Minute)
	}
}

// listenOnce reads one stream to its end; false means that there is no use in
// another. stands is told when the server has answered.
func (l *Legacy) listenOnce(s *stream, stands func()) bool {
	h := l.get.Clone()
	if s.lastID != "" {
		h[mcpwire.HeaderLastEvent] = []string{s.lastID}
	}
	res, err := l.e.send(l.ctx, http.MethodGet, l.e.URL, h, nil)
	stands()
	if err != nil {
		return l.ctx.Err() == nil
	}
	if res.Status == http.StatusOK && mediaType(res.Header) == mediaEvents {
		l.readStream(res, s)
		return l.ctx.Err() == nil
	}
	res.Discard()
	switch {
	case res.Status == http.StatusNotFound && l.session != "":
		l.fail(&link.Fault{Kind: link.Lost, Status: res.Status, Err: errors.New("the server no longer knows the session")})
		return false
	case res.Status >= 500 || res.Status == http.StatusTooManyRequests:
		return true
	}
	return false // 405 and the like: the server has no such stream
}

func (l *Legacy) readStream(res *httpwire.Response, s *stream) {
	defer res.Body.Close()
	events := mcpwire.NewEventReader(res.Body, l.e.Limits.Message)
	for {
		ev, err := events.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && l.ctx.Err() == nil {
				l.e.Log.Debug("stream of upstream broke", "err", err)
			}
			return
		}
		s.note(&ev)
		if !speaks(&ev) {
			continue
		}
		l.overhearEvent(ev.Data)
	}
}

func (l *Legacy) overhearEvent(data []byte) {
	if !l.batches() || !mcpwire.IsBatch(data) {
		m, err := l.e.Limits.Scan(data)
		if err != nil {
			l.e.garbage(data, err)
			return
		}
		l.overhear(&m)
		return
	}
	all, err := l.e.Limits.ScanBatch(data)
	if err != nil {
		l.e.garbage(data, err)
	}
	for i := range all {
		if all[i].Fault != nil {
			l.e.garbage(all[i].Raw, all[i].Fault)
			continue
		}
		l.overhear(&all[i])
	}
}

// overhear takes a message that came outside of the calls' own streams. Some
// servers send there what belongs to a call; with one call in flight there is
// no doubt which.
func (l *Legacy) overhear(m *mcpwire.Message) {
	t := l.sole()
	switch {
	case m.Kind == mcpwire.Request && m.Method == mcpwire.MethodPing:
		l.aside(mcpwire.AppendResult(nil, m.ID, []byte("{}")))
	case m.Kind == mcpwire.Notification && link.IsEvent(m.Method):
		if l.event != nil {
			l.event(m.Method, m.Params)
		}
	case m.Kind == mcpwire.Notification && m.Method == mcpwire.NotifyProgress:
		token, _ := mcpwire.Field(m.Params, "progressToken")
		l.tell(l.turn(link.OwnID(token)), m)
	case m.Kind == mcpwire.Notification:
		l.tell(t, m)
	case m.Kind == mcpwire.Request && t != nil:
		_, _, _ = t.Hear(l.ctx, m)
	case m.Kind == mcpwire.Request:
		l.e.Counters.Unattributed.Add(1)
		l.aside(link.Disown(m, l.orphan))
	default:
		l.e.Counters.Foreign.Add(1)
	}
}

func (l *Legacy) tell(t *link.Turn, m *mcpwire.Message) {
	if t == nil {
		l.e.Counters.Unattributed.Add(1)
		return
	}
	_, _, _ = t.Hear(l.ctx, m) // too much of it ends nothing here: the call has its own stream
}
