package mcpedge

import (
	"durward"
	"durward/internal/mcpwire"
)

// tolerate reads a message that was refused once more, for an admitted agent
// whose mistakes are overlooked where they leave no doubt.
func (p *post) tolerate(m *mcpwire.Message, d mcpwire.Decision, bad *mcpwire.Refusal) (mcpwire.Decision, *mcpwire.Refusal) {
	if p.call.Agent.Compat != durward.Tolerant {
		return d, bad
	}
	again, faults, still := mcpwire.ClassifyTolerant(p.r.Header(), m)
	if still != nil {
		return d, bad // told as it came
	}
	p.fill(m, again)
	for _, fault := range faults {
		p.face.overlook(&p.call, fault)
	}
	return again, nil
}

// overlook counts a fault of a call and lets it be recorded; false when the
// agent is not one whose mistakes are overlooked.
func (f *Face) overlook(c *durward.Call, fault mcpwire.Fault) bool {
	if c.Agent.Compat != durward.Tolerant {
		return false
	}
	f.counts.overlook(c.Agent.Name, fault)
	c.Findings = append(c.Findings, durward.Finding{Rule: string(fault), Vector: "protocol", Severity: "info"})
	return true
}
