package scan

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"durward"
	"durward/internal/guard"
)

// Result is a verdict with what people call the thing: a file and line, a
// server and tool.
type Result struct {
	Name    string   `json:"name"`
	Verdict *Verdict `json:"verdict"`
}

// Human writes a report for people: what, where, why, how bad, what to do.
func Human(w io.Writer, results []Result) error {
	help := map[string]guard.Rule{}
	for _, r := range guard.Rules() {
		help[r.ID] = r
	}
	counts := map[string]int{}
	for _, r := range results {
		counts[r.Verdict.Verdict]++
		if len(r.Verdict.Findings) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s  %s  (score %.2f)\n", strings.ToUpper(r.Verdict.Verdict), r.Name, r.Verdict.Score); err != nil {
			return err
		}
		for _, f := range ordered(r.Verdict.Findings) {
			rule := help[f.Rule]
			fmt.Fprintf(w, "  %-8s %s  %s\n           %s\n", f.Severity, f.Rule, f.Where, rule.Help)
			if f.Evidence != "" {
				fmt.Fprintf(w, "           seen: %s\n", f.Evidence)
			}
			fmt.Fprintf(w, "           do:   %s\n", advice(f.Vector))
		}
	}
	_, err := fmt.Fprintf(w, "%d inspected: %d blocked, %d held, %d redacted, %d flagged, %d clean\n",
		len(results), counts["block"], counts["hold"], counts["redact"], counts["flag"], counts["allow"])
	return err
}

// ordered puts the gravest finding first.
func ordered(f []durward.Finding) []durward.Finding {
	out := append([]durward.Finding(nil), f...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out
}

// advice says what to do about a vector.
func advice(vector string) string {
	switch vector {
	case guard.VectorPoisoning:
		return "read the definition with hidden characters made visible; do not approve it until its author explains the passage"
	case guard.VectorRugPull:
		return "compare with `durward diff` and approve the change, or keep the old version"
	case guard.VectorShadowing:
		return "keep the prefixes on; remove the server if it was not meant to replace the other"
	case guard.VectorInjection:
		return "treat the source as untrusted; let calls that follow from it be approved by a person"
	case guard.VectorSecrets:
		return "rotate the credential if it left; keep it out of results"
	case guard.VectorArguments:
		return "check who wrote the value; declare the field's format in the schema"
	case guard.VectorExfiltration:
		return "check the destination, and what the session read before"
	}
	return "see the documentation of the rule"
}

// SARIF writes the findings in the format of code scanning (SARIF 2.1.0).
func SARIF(w io.Writer, version string, results []Result) error {
	type text struct {
		Text string `json:"text"`
	}
	type rule struct {
		ID         string         `json:"id"`
		Short      text           `json:"shortDescription"`
		Properties map[string]any `json:"properties"`
	}
	type location struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
		} `json:"physicalLocation"`
		Logical []map[string]string `json:"logicalLocations,omitempty"`
	}
	type result struct {
		RuleID    string     `json:"ruleId"`
		Level     string     `json:"level"`
		Message   text       `json:"message"`
		Locations []location `json:"locations"`
	}
	rules := []rule{}
	for _, r := range guard.Rules() {
		rules = append(rules, rule{r.ID, text{r.Help}, map[string]any{"vector": r.Vector, "owasp-mcp": r.OWASP}})
	}
	found := []result{}
	for _, r := range results {
		for _, f := range r.Verdict.Findings {
			var at location
			at.Physical.Artifact.URI = r.Name
			if f.Where != "" {
				at.Logical = []map[string]string{{"fullyQualifiedName": f.Where}}
			}
			found = append(found, result{f.Rule, level(f.Severity), text{message(f)}, []location{at}})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":    map[string]any{"driver": map[string]any{"name": "durward", "version": version, "rules": rules}},
			"results": found,
		}},
	})
}

func message(f durward.Finding) string {
	if f.Evidence == "" {
		return f.Rule
	}
	return f.Evidence
}

func level(severity string) string {
	switch severity {
	case "critical", "high":
		return "error"
	case "medium":
		return "warning"
	}
	return "note"
}
