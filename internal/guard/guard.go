// Package guard detects threats in what passes between agents and servers:
// poisoned definitions, redefinitions, shadowing, injected results, secrets
// and personal data, hostile arguments, and data carried out across calls.
//
// The guarantees come from state: pins, namespaces, labels and sinks. What the
// text detectors say is calibrated evidence, published with what it misses.
// Each inspector is pure: it takes bytes and returns a [Report]; who acts on it
// is the pipeline. When a bound ends the work early the report says so, and is
// never a pass.
//
// An [Engine] never changes and is safe for concurrent use.
package guard

import (
	"fmt"
	"sync"

	"durward"
	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

// Options configure an engine. The zero Options are safe.
type Options struct {
	// Key makes the tokens that stand for secrets; nil makes them without a hash.
	Key []byte
	// Modes overrides what a rule or a vector does; rules win over vectors.
	Modes map[string]Mode
	// Definition and Response replace the released weights, for training.
	Definition, Response *model.Weights
}

// Engine is the compiled guard.
type Engine struct {
	lex        *lexicon.Lexicon
	definition *model.Weights
	response   *model.Weights
	redactor   *dlp.Redactor
	modes      map[string]Mode
	readers    sync.Pool // of *carrier.Reader
	texts      sync.Pool // of *inspection
	clean      *Report   // of texts without anything to judge
}

// New compiles a guard.
func New(o Options) (*Engine, error) {
	for name, m := range o.Modes {
		if !m.valid() {
			return nil, fmt.Errorf("guard: mode %q of %s: want observe, flag, redact, hold or block", m, name)
		}
		if _, ok := ruleNamed(name); !ok && !vectorNamed(name) {
			return nil, fmt.Errorf("guard: no rule or vector is called %s", name)
		}
	}
	e := &Engine{lex: lexicon.Default(), definition: o.Definition, response: o.Response, redactor: dlp.NewRedactor(o.Key), modes: o.Modes}
	if e.definition == nil {
		e.definition = model.Definition()
	}
	if e.response == nil {
		e.response = model.Response()
	}
	e.clean = newReport()
	e.clean.Score = e.response.Probability(model.LeastMargin)
	e.readers.New = func() any { return carrier.NewReader(e.lex) }
	e.texts.New = func() any { return e.newInspection() }
	return e, nil
}

// Report is what the inspectors saw in one thing.
type Report struct {
	// Effect is the strictest effect of the findings, with their modes applied.
	Effect durward.Effect
	// Would is the strictest effect had no rule been set to observe.
	Would durward.Effect
	// Score is the probability of an attack.
	Score    float64
	Findings []durward.Finding
	// Redacted is the text after redaction; nil when nothing was redacted.
	Redacted []byte
	// Partial tells that a bound was reached: not everything was inspected.
	Partial bool
	// Changed tells that a definition is not the one that was approved.
	Changed bool
	spans   []span
	reached int     // where the passage recorded last ends
	orders  float64 // probability of orders alone
	hot     bool    // words of orders were seen
	finds   []dlp.Find
}

// span is a part of the text to cut out.
type span struct{ start, end int }

// add records a finding of a rule with its score.
func (e *Engine) add(r *Report, rule Rule, score float64, where, evidence string) durward.Effect {
	r.put(durward.Finding{
		Rule: rule.ID, Vector: rule.Vector, Severity: rule.severity(score), Score: round(score), Where: where, Evidence: evidence,
	})
	return e.weigh(r, rule, score)
}

// put keeps a finding and returns its number; where there are too many, the
// weakest makes room. -1 stands for that one itself.
func (r *Report) put(f durward.Finding) int {
	if len(r.Findings) < mostFindings {
		r.Findings = append(r.Findings, f)
		return len(r.Findings) - 1
	}
	weakest := 0
	for i := range r.Findings {
		if r.Findings[i].Score < r.Findings[weakest].Score {
			weakest = i
		}
	}
	if r.Findings[weakest].Score >= f.Score {
		return -1
	}
	r.Findings[weakest] = f
	return weakest
}

// weigh lets a finding count, and returns what it does.
func (e *Engine) weigh(r *Report, rule Rule, score float64) durward.Effect {
	effect := max(e.mode(rule).effect(), rule.least(score)) // weak evidence acts mildly
	r.Score = max(r.Score, score)
	r.Would = min(r.Would, max(rule.Mode.effect(), rule.least(score)))
	if e.mode(rule) != Observe {
		r.Effect = min(r.Effect, effect)
	}
	return effect
}

func newReport() *Report { return &Report{Effect: durward.Allow, Would: durward.Allow} }

func round(x float64) float64 { return float64(int(x*10000+0.5)) / 10000 }

func (e *Engine) mode(r Rule) Mode {
	if m, ok := e.modes[r.ID]; ok {
		return m
	}
	if m, ok := e.modes[r.Vector]; ok {
		return m
	}
	return r.Mode
}
