package mcpwire

import "durward"

// Payload returns what [Classify] finds the routed values in, whatever the era.
func (m *Message) Payload() (durward.Payload, error) {
	if bad := wrongType(m.payload); bad != nil {
		return durward.Payload{}, bad
	}
	return m.payload, nil
}

// ReadMeta returns what [Classify] reads of _meta.
func ReadMeta(p durward.Payload) (Meta, error) {
	m, bad := readMeta(p)
	if bad != nil {
		return Meta{}, bad
	}
	return m, nil
}
