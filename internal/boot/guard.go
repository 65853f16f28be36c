package boot

import (
	"durward"
	"durward/internal/config"
	"durward/internal/guard"
)

// GuardRules is the guard's table as a configuration sets it, for calls of an
// agent to an operation by its public name; both may be "".
func GuardRules(cfg *config.Config, agent, operation string) ([]durward.GuardRule, error) {
	p, err := guard.CompilePolicy(cfg.Guard, nil)
	if err != nil {
		return nil, err
	}
	var op *durward.Operation
	if operation != "" {
		op = &durward.Operation{Kind: durward.KindTool, Upstream: durward.UpstreamOf(operation), PolicyName: operation}
	}
	return p.Table(agent, op), nil
}
