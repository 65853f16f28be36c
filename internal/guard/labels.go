package guard

import "durward/internal/guard/flow"

// LabelsOf are the labels of a conversation, when there is one of that key;
// asking begins none and keeps none from being forgotten.
func (m *Memory) LabelsOf(key string) []string {
	m.mu.Lock()
	e := m.conversations[key]
	m.mu.Unlock()
	if e == nil {
		return nil
	}
	return e.Value.(*Conversation).Labels()
}

// Labels are words for what the conversation has seen: "untrusted" for texts
// that strangers may have written; "internal", "personal" or "secret" for the
// most private data.
func (c *Conversation) Labels() []string {
	c.mu.Lock()
	untrusted, private := c.flow.Seen()
	c.mu.Unlock()
	var all []string
	if untrusted {
		all = append(all, "untrusted")
	}
	switch private {
	case flow.Internal:
		all = append(all, "internal")
	case flow.Personal:
		all = append(all, "personal")
	case flow.Secret:
		all = append(all, "secret")
	case flow.Public:
	}
	return all
}
