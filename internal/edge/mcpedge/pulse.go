package mcpedge

import "sync"

// pulse lets everything that stays open look at once whether it may: what an
// agent is allowed can change while nothing is sent.
type pulse struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next beat closes. Nil pulses never beat.
func (p *pulse) wait() <-chan struct{} {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(chan struct{})
	}
	return p.next
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}

// Recheck makes every open stream and local connection ask again whether its
// agent may have it, now rather than at its next sign of life. Call it when
// agents, keys or roles have changed.
func (f *Face) Recheck() { f.rechecks.beat() }
