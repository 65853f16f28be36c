package catalog

import (
	"durward"
	"durward/internal/mcpwire"
)

// servesTasks tells whether calls of an upstream's tools may become tasks.
func servesTasks(s *Source) bool {
	if s.Modern {
		return mcpwire.ExtendsTasks(s.Capabilities)
	}
	return mcpwire.ServesTasks(s.Capabilities)
}

// HasTasks tells whether some call that the viewer can make in the revision of
// enc may become a task. Tasks do not cross from one era to the other, so the
// upstream has to be of the viewer's.
func (v *View) HasTasks(enc Encoding) bool {
	if !enc.Modern && !mcpwire.Revision(enc.Revision).Tasks() {
		return false
	}
	for _, s := range v.sections {
		if s.tasks && s.Modern == enc.Modern {
			return true
		}
	}
	return false
}

// Tool is an upstream's tool by its own name, for a task that one of its calls
// became; nil when the viewer does not reach the upstream. A tool that is no
// longer listed is judged by its name.
func (v *View) Tool(upstream, own string) *durward.Operation {
	for _, s := range v.sections {
		if s.Upstream != upstream {
			continue
		}
		for _, op := range s.tools {
			if op.Name == own {
				return op
			}
		}
		return unlisted(durward.KindTool, upstream, own)
	}
	return nil
}
