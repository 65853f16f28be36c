package main

import (
	"strings"

	"github.com/spf13/cobra"

	"durward/internal/boot"
	"durward/internal/config"
)

func policyCommand(a *app) *cobra.Command {
	return parent("policy", "Hold roles and rules to cases", groupGovern, policyTestCommand(a), policySchemaCommand(a))
}

func policySchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of a file of cases, for editors", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(config.CasesSchema())
			return err
		},
	}
}

func policyTestCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "test FILE", Short: "Check that calls are decided about as the file says", Args: args(1, 1),
		Long: "Decides about each case of the file as a gateway with this configuration would, with the code that serves calls,\n" +
			"and reaches nothing: no gateway, no upstream, no network. Agents and roles are those of the configuration file.\n" +
			"Exit code 3 when a case comes out otherwise.",
		Example: "  durward policy test cases.yaml -c durward.yaml",
		RunE: func(c *cobra.Command, words []string) error {
			cfg, err := a.settings(listenFlags{})
			if err != nil {
				return err
			}
			cases, err := config.LoadCases(words[0], a.configOptions(listenFlags{}))
			if err != nil {
				return err
			}
			results, err := boot.TryCases(c.Context(), cfg, cases)
			if err != nil {
				return err
			}
			return a.caseResults(words[0], results)
		},
	}
}

func (a *app) caseResults(file string, results []boot.CaseResult) error {
	failed := 0
	for _, r := range results {
		if !r.OK {
			failed++
		}
	}
	if a.json() {
		if err := printJSON(a.out, results); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			a.caseResult(file, r)
		}
		a.out.line("%d of %d cases came out as wanted.", len(results)-failed, len(results))
	}
	if failed > 0 {
		return said{exitRefused}
	}
	return nil
}

func (a *app) caseResult(file string, r boot.CaseResult) {
	if r.OK {
		a.out.line("%s %s", a.out.green("✓"), clean(r.Name))
		return
	}
	a.out.line("%s %s", a.out.red("✗"), clean(r.Name))
	want := r.Want
	if r.WantRule != "" {
		want += " by " + r.WantRule
	}
	a.out.line("    %s:%d: want %s, got %s", file, r.Line, clean(want), clean(strings.Join(filled(r.Got, string(r.Reason), r.Rule), ", ")))
	for _, u := range r.Unsure {
		a.out.line("    %s", clean(u))
	}
}

func filled(words ...string) (out []string) {
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}
