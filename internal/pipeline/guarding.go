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
