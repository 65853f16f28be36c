package pipeline

import "durward"

// GuardRules is the guard's table as it holds for calls of an agent to an
// operation, by its public name; both may be "".
func (g *Gateway) GuardRules(agent, operation string) []durward.GuardRule {
	return g.plan.Load().guard.Table(agent, operationNamed(operation))
}

// operationNamed stands for an operation in questions about its scopes.
func operationNamed(name string) *durward.Operation {
	if name == "" {
		return nil
	}
	return &durward.Operation{Kind: durward.KindTool, Upstream: durward.UpstreamOf(name), PolicyName: name}
}

// GuardStats is what the guard has done since the start.
func (g *Gateway) GuardStats() durward.GuardStats { return g.guard.Stats() }

// Artefacts lists what was withheld, the latest first.
func (g *Gateway) Artefacts() []durward.Artefact { return g.guard.Artefacts() }

// Artefact is one reply that was withheld.
func (g *Gateway) Artefact(handle string) (durward.Artefact, bool) { return g.guard.Artefact(handle) }

// Marks returns the labels of agents' conversations that have changed, to be
// kept for the next start; MarksChanged wakes who keeps them.
func (g *Gateway) Marks() map[string][]byte { return g.guard.Marks() }

// MarksChanged see [Gateway.Marks].
func (g *Gateway) MarksChanged() <-chan struct{} { return g.guard.Changed() }

// Recall lets the conversations of an agent begin with labels that were kept.
// It is false when they have had their time.
func (g *Gateway) Recall(agent string, marks []byte) (bool, error) {
	return g.guard.Recall(agent, marks)
}
