package main

import "github.com/spf13/cobra"

// verbs are all commands, each in a file of its own.
func verbs() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		upCommand, serveCommand,
		callCommand, toolsCommand, connectCommand, stdioCommand,
		agentCommand, roleCommand, upstreamCommand, approvalsCommand, operatorCommand, policyCommand, simulateCommand, whyCommand, limitsCommand, killCommand, releaseCommand, haltsCommand, auditCommand, scanCommand,
		guardCommand,
		diffCommand, approveCommand, lockCommand,
		doctorCommand, inventoryCommand, configCommand, versionCommand,
		exampleCommand,
	}
}
