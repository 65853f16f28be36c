package scan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"durward/internal/guard"
)

// SARIF writes the findings in the format of code scanning (SARIF 2.1.0), each
// as it comes.
func SARIF(w io.Writer, version string) Sink {
	return &sarif{w: bufio.NewWriter(w), version: version}
}

type sarif struct {
	w       *bufio.Writer
	version string
	begun   bool
	results int
	failed  []sarifNote
	lost    int // failures beyond those that are kept
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID         string         `json:"id"`
	Short      sarifText      `json:"shortDescription"`
	Help       sarifText      `json:"help"`
	Properties map[string]any `json:"properties"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifPlace struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
	Logical []map[string]string `json:"logicalLocations,omitempty"`
}

type sarifResult struct {
	RuleID    string       `json:"ruleId"`
	Level     string       `json:"level"`
	Message   sarifText    `json:"message"`
	Locations []sarifPlace `json:"locations"`
	// Prints tell a finding that is known from a new one.
	Prints map[string]string `json:"partialFingerprints"`
	Props  map[string]any    `json:"properties"`
}

type sarifNote struct {
	Level     string       `json:"level"`
	Message   sarifText    `json:"message"`
	Locations []sarifPlace `json:"locations"`
}

const mostNotes = 100

func (s *sarif) Verdict(r *Result) error {
	for _, f := range r.Verdict.Findings {
		if f.Severity == "info" && f.Score < 0.1 && r.Verdict.Verdict == "allow" {
			continue
		}
		rule := ruleNamed(f.Rule)
		logical := strings.TrimSpace(r.Part + " " + f.Where)
		text := rule.Help
		if f.Evidence != "" {
			text += " Seen: " + quoted(f.Evidence)
		}
		if err := s.add(sarifResult{
			RuleID: f.Rule, Level: level(f.Severity), Message: sarifText{text}, Locations: []sarifPlace{placeAt(r.Source, r.lineOf(&f), logical)},
			Prints: map[string]string{"durward/v1": r.fingerprint(&f)},
			Props:  map[string]any{"verdict": r.Verdict.Verdict, "vector": f.Vector, "score": f.Score, "do": advice(f.Vector)},
		}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sarif) Failure(f *Failure) error {
	if len(s.failed) == mostNotes {
		s.lost++
		return nil
	}
	s.failed = append(s.failed, sarifNote{Level: "error", Message: sarifText{visible(f.Error)}, Locations: []sarifPlace{placeAt(f.Source, f.Line, "")}})
	return nil
}

func placeAt(source string, line int, logical string) sarifPlace {
	var p sarifPlace
	p.Physical.Artifact.URI = (&url.URL{Path: source}).String()
	if line > 0 {
		p.Physical.Region = &sarifRegion{line}
	}
	if logical != "" {
		p.Logical = []map[string]string{{"fullyQualifiedName": visible(logical)}}
	}
	return p
}

func (s *sarif) begin() {
	if s.begun {
		return
	}
	s.begun = true
	rules := []sarifRule{}
	for _, r := range guard.Rules() {
		rules = append(rules, sarifRule{r.ID, sarifText{r.Help}, sarifText{"What to do: " + advice(r.Vector) + "."}, map[string]any{"vector": r.Vector, "owasp-mcp": r.OWASP}})
	}
	tool := s.text(map[string]any{"driver": map[string]any{"name": "durward", "version": s.version, "rules": rules}})
	_, _ = fmt.Fprintf(s.w, `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":%s,"results":[`, tool) // Flush tells
}

func (s *sarif) add(v sarifResult) error {
	s.begin()
	if s.results++; s.results > 1 {
		_ = s.w.WriteByte(',') // a writer that failed goes on failing
	}
	_, err := s.w.WriteString("\n" + s.text(v))
	return err
}

func (s *sarif) Flush() error { return s.w.Flush() }

func (s *sarif) Close() error {
	s.begin()
	if s.lost > 0 {
		s.failed = append(s.failed, sarifNote{Level: "error", Message: sarifText{fmt.Sprintf("%d more could not be read", s.lost)}, Locations: []sarifPlace{}})
	}
	end := map[string]any{"executionSuccessful": len(s.failed) == 0}
	if len(s.failed) > 0 {
		end["toolExecutionNotifications"] = s.failed
	}
	_, _ = fmt.Fprintf(s.w, "\n],\"invocations\":[%s]}]}\n", s.text(end)) // Flush tells
	return s.w.Flush()
}

// text is a value of ours in JSON; all of them have one.
func (s *sarif) text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts, numbers and maps of them always marshal
	}
	return string(raw)
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

func ruleNamed(id string) guard.Rule {
	for _, r := range guard.Rules() {
		if r.ID == id {
			return r
		}
	}
	return guard.Rule{ID: id}
}
