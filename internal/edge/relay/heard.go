package relay

import (
	"fmt"

	"durward/internal/mcpwire"
)

// question is a request of a gateway to the client.
type question struct {
	id     []byte // raw, as the client knows it
	theirs []byte // raw, as the gateway does
}

// heard takes one line of a gateway.
func (r *relay) heard(line []byte) {
	if mcpwire.IsArray(line) {
		r.mu.Lock()
		for e := range mcpwire.Elements(line) {
			id, method := idAndMethod(e)
			if m := r.open.of(id); m != nil && method == nil {
				r.open.leave(m)
			}
		}
		r.mu.Unlock()
		r.tell(line)
		return
	}
	id, rawMethod := idAndMethod(line)
	method, _ := mcpwire.Text(rawMethod)
	switch {
	case rawMethod == nil && id != nil:
		r.answered(line, id)
	case id != nil:
		r.asks(line, id)
	case method == mcpwire.NotifyCancelled:
		r.withdraws(line)
	case method == mcpwire.NotifyAcknowledged:
		r.acknowledged(line)
	case rawMethod == nil: // an answer to what had no id that could be read
		r.tell(mcpwire.DropFields(line, Begun))
	default:
		r.tell(line)
	}
}

// answered takes the answer to a request. One that was not begun because the
// gateway is leaving waits for the next.
func (r *relay) answered(line, id []byte) {
	result, _ := mcpwire.Field(line, "result")
	r.mu.Lock()
	m := r.open.of(id)
	switch {
	case m == nil && r.waits(id): // it got a part, and complains of it
		r.mu.Unlock()
		return
	case m == nil:
		line = mcpwire.DropFields(line, Begun)
	case m.ours != nil:
		r.open.leave(m)
		r.leaving = r.leaving || isNotBegun(line)
		r.mu.Unlock()
		m.ours(line)
		return
	case isNotBegun(line):
		r.leaving = true
		r.open.leave(m)
		if m.whole && !m.unsure && !r.over && r.hold(m) {
			r.mu.Unlock()
			return
		}
		line = mcpwire.DropFields(line, Begun)
		if m.unsure { // it may be another that was not begun
			line = cutOff(m.id)
		}
	case m.method == mcpwire.MethodListen && result != nil && !m.unsure && !r.over:
		m.parked = line
		r.mu.Unlock()
		r.probe(m)
		return
	default:
		r.open.leave(m)
		if result != nil && !m.unsure {
			r.talk.learn(m, result)
		}
	}
	r.mu.Unlock()
	r.tell(line)
}

// Begun is false in the envelope of an error when the gateway that says it is
// leaving and did nothing. It is said to relays, and not passed on.
const Begun = "begun"

func isNotBegun(line []byte) bool {
	begun, _ := mcpwire.Field(line, Begun)
	return string(begun) == "false"
}

// probe asks a gateway that ended a subscription whether it is leaving: if so,
// the next one goes on with it and the client need not know.
func (r *relay) probe(m *message) {
	r.ask(mcpwire.MethodPing, nil, func(answer []byte) {
		if isNotBegun(answer) {
			return // it is still open when the connection ends
		}
		r.mu.Lock()
		mine := r.open.leave(m)
		r.mu.Unlock()
		if mine {
			r.tell(m.parked)
		}
	})
}

// asks passes on a question of the gateway. Gateways count their questions from
// one, so those of the second are told from those of the first.
func (r *relay) asks(line, id []byte) {
	r.mu.Lock()
	q := question{id: id, theirs: id}
	if text, ok := mcpwire.Text(id); ok && r.round > 1 {
		q.id = mcpwire.Quote(fmt.Sprintf("%s.%d", text, r.round))
	}
	r.asked[mcpwire.IDKey(q.id)] = q
	r.mu.Unlock()
	if string(q.id) != string(id) {
		line = mcpwire.SetField(line, "id", q.id)
	}
	r.tell(line)
}

// withdraws passes on that a question needs no answer any more.
func (r *relay) withdraws(line []byte) {
	params, _ := mcpwire.Field(line, "params")
	id, _ := mcpwire.Field(params, "requestId")
	r.mu.Lock()
	for key, q := range r.asked {
		if mcpwire.IDKey(q.theirs) != mcpwire.IDKey(id) {
			continue
		}
		delete(r.asked, key)
		if string(q.id) != string(id) {
			line = mcpwire.SetField(line, "params", mcpwire.SetField(params, "requestId", q.id))
		}
		break
	}
	r.mu.Unlock()
	r.tell(line)
}

func withdrawal(id []byte) []byte {
	return mcpwire.AppendNotification(nil, mcpwire.NotifyCancelled, append(append([]byte(`{"requestId":`), id...), '}'))
}

// acknowledged passes on that a subscription has begun. One that was begun
// before goes on: what may have changed meanwhile is told instead.
func (r *relay) acknowledged(line []byte) {
	params, _ := mcpwire.Field(line, "params")
	id, _ := mcpwire.Path(params, "_meta", mcpwire.MetaSubscriptionID)
	r.mu.Lock()
	m := r.open.of(id)
	again := m != nil && m.heard
	if m != nil {
		m.heard = true
	}
	r.mu.Unlock()
	if !again {
		r.tell(line)
		return
	}
	granted, _ := mcpwire.Field(params, "notifications")
	meta := append(append([]byte(`{"_meta":{"`+mcpwire.MetaSubscriptionID+`":`), id...), "}}"...)
	for _, l := range lists {
		if on, _ := mcpwire.Field(granted, l.subscribed); string(on) == "true" {
			r.tell(mcpwire.AppendNotification(nil, l.changed, meta))
		}
	}
	uris, _ := mcpwire.Field(granted, "resourceSubscriptions")
	if mcpwire.IsArray(uris) {
		for uri := range mcpwire.Elements(uris) {
			r.tell(mcpwire.AppendNotification(nil, mcpwire.NotifyResourceUpdated, mcpwire.SetField(meta, "uri", uri)))
		}
	}
}

// lists are what a client may read anew, and how it is told to.
var lists = [...]struct{ capability, subscribed, changed string }{
	{"tools", "toolsListChanged", mcpwire.NotifyToolsChanged},
	{"prompts", "promptsListChanged", mcpwire.NotifyPromptsChanged},
	{"resources", "resourcesListChanged", mcpwire.NotifyResourcesChanged},
}
