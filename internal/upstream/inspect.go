package upstream

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"durward"
)

// Inspect tells all that is known of one declared upstream.
func (s *Set) Inspect(name string) (durward.UpstreamDetail, bool) {
	p := s.plan.Load()
	if srv := p.servers[name]; srv != nil {
		return srv.inspect(), true
	}
	for i := range p.declared {
		if p.declared[i].Name == name {
			return durward.UpstreamDetail{Status: disabled(&p.declared[i]), Sessions: []durward.UpstreamSession{}}, true
		}
	}
	return durward.UpstreamDetail{}, false
}

func disabled(up *durward.Upstream) durward.UpstreamStatus {
	return durward.UpstreamStatus{Name: up.Name, Transport: transportOf(up), State: "disabled", Origin: up.Origin}
}

func (s *server) inspect() durward.UpstreamDetail {
	l := s.listing.Load()
	d := durward.UpstreamDetail{
		Status: s.status(), Capabilities: l.Capabilities, Read: l.Fetched, Changes: l.Generation,
		Sharing: or(s.up.Sharing, "auto"), Most: s.pool.most,
		Watched: s.keeper.watching(), Calls: s.calls.now(), Sessions: s.pool.inspect(),
		Breakers: s.breakers.status(time.Now(), false),
		Dropped: durward.UpstreamDropped{
			Foreign: s.counters.Foreign.Load(), Garbage: s.counters.Garbage.Load(),
			Unattributed: s.counters.Unattributed.Load(), Overflow: s.counters.Overflow.Load(),
		},
	}
	if own := s.keeper.line.Load(); own != nil && (own.shared || !own.modern) {
		d.Sessions = append(d.Sessions, own.inspect(durward.UpstreamSession{For: "lists"}))
	}
	slices.SortStableFunc(d.Sessions, func(a, b durward.UpstreamSession) int { return a.Opened.Compare(b.Opened) })
	s.mu.Lock()
	defer s.mu.Unlock()
	d.LastError, d.LastErrorAt = s.health.last, s.health.lastAt
	return d
}

// inspect tells of the sessions or processes that calls use.
func (p *pool) inspect() []durward.UpstreamSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]durward.UpstreamSession, 0, len(p.slots)+1)
	for k, sl := range p.slots {
		session := durward.UpstreamSession{
			For: k.whose(), Declared: json.RawMessage(or(k.profile, "{}")), Used: sl.used, Calls: sl.users,
		}
		if k.lane == 0 {
			session.Waiting = len(p.waiting[k])
		}
		select {
		case <-sl.ready:
			if sl.line != nil {
				session = sl.line.inspect(session)
			}
		default: // it is being opened
		}
		out = append(out, session)
	}
	slices.SortFunc(out, func(a, b durward.UpstreamSession) int { return strings.Compare(a.For, b.For) })
	return out
}

func (k key) whose() string {
	switch {
	case k.agent == "":
		return "all"
	case k.session == "":
		return "agent " + k.agent
	}
	return "agent " + k.agent + ", session " + k.session[:min(len(k.session), 8)] + "..." // the rest is a credential
}

// inspect adds what the line knows of itself.
func (l *line) inspect(s durward.UpstreamSession) durward.UpstreamSession {
	s.Opened, s.Revision, s.Single = l.opened, l.welcome.Revision, l.exclusive
	if process, ok := l.conn.(interface{ Pid() int }); ok {
		s.PID = process.Pid()
	}
	return s
}
