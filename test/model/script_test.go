// Package model drives random legal conversations through the gateway, in
// every pairing of eras that it bridges, and compares what both ends saw.
//
// A conversation is a script: the client sends it as the arguments of a call,
// the server does what it says (reports progress, logs, asks things of the
// client, waits), and both write down what happened. What they wrote down must
// agree, whatever eras lie between them.
package model

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
)

// script is what one call makes the server do.
type script struct {
	ID    int    `json:"id"`
	Steps []step `json:"steps"`
	Text  string `json:"text"` // comes back
	// Number comes back too, digit for digit.
	Number json.Number `json:"number"`
}

// step is one thing that the server does; one of the fields is set.
type step struct {
	Progress int        `json:"progress,omitempty"`
	Log      string     `json:"log,omitempty"` // the level
	Ask      []question `json:"ask,omitempty"` // side by side
	Hang     bool       `json:"hang,omitempty"`
}

// question is one thing that the server wants to know. N tells questions of a
// call apart; the client answers by it.
type question struct {
	Kind string `json:"kind"`
	N    int    `json:"n"`
}

// The kinds of questions.
const (
	form   = "form"
	url    = "url"
	sample = "sample"
	tools  = "tools" // sampling with tools
	roots  = "roots" // has no place for a number
)

// method and params are the question on the wire. Older revisions know no
// modes, and 2026-07-28 no elicitation ids.
func (q question) method() string {
	switch q.Kind {
	case form, url:
		return "elicitation/create"
	case roots:
		return "roots/list"
	}
	return "sampling/createMessage"
}

func (q question) params(revision string) string {
	mode := ""
	if revision >= "2025-11-25" {
		mode = `"mode":"form",`
	}
	switch q.Kind {
	case form:
		return fmt.Sprintf(`{%s"message":"ask %d","requestedSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}`, mode, q.N)
	case url:
		id := ""
		if revision == "2025-11-25" {
			id = fmt.Sprintf(`,"elicitationId":"e-%d"`, q.N)
		}
		return fmt.Sprintf(`{"mode":"url","message":"ask %d","url":"https://example.com/%d"%s}`, q.N, q.N, id)
	case sample:
		return fmt.Sprintf(`{"messages":[{"role":"user","content":{"type":"text","text":"ask %d"}}],"maxTokens":9}`, q.N)
	case tools:
		return fmt.Sprintf(`{"messages":[{"role":"user","content":{"type":"text","text":"ask %d"}}],"maxTokens":9,"tools":[{"name":"t","inputSchema":{"type":"object"}}]}`, q.N)
	}
	return `{}`
}

var asked = regexp.MustCompile(`ask (\d+)"`)

// readQuestion is the question that a message puts.
func readQuestion(method string, params []byte) question {
	q := question{Kind: roots}
	if m := asked.FindSubmatch(params); m != nil {
		q.N, _ = strconv.Atoi(string(m[1]))
	}
	var p struct {
		Mode  string
		Tools []any
	}
	_ = json.Unmarshal(params, &p)
	switch {
	case method == "elicitation/create" && p.Mode == "url":
		q.Kind = url
	case method == "elicitation/create":
		q.Kind = form
	case method == "sampling/createMessage" && p.Tools != nil:
		q.Kind = tools
	case method == "sampling/createMessage":
		q.Kind = sample
	}
	return q
}

// answer is what every client says to a question; "" refuses it with an error.
func (q question) answer() string {
	switch {
	case q.Kind == roots:
		return `{"roots":[{"uri":"file:///home"}]}`
	case q.N%13 == 0 && q.Kind != url:
		return ""
	case q.Kind == sample || q.Kind == tools:
		return fmt.Sprintf(`{"role":"assistant","content":{"type":"text","text":"%d"},"model":"m"}`, q.N)
	case q.N%7 == 0:
		return `{"action":"decline"}`
	case q.Kind == url:
		return `{"action":"accept"}`
	}
	return fmt.Sprintf(`{"action":"accept","content":{"n":%d}}`, q.N)
}

// scripts makes scripts that are legal between two ends.
type scripts struct {
	*rand.Rand
	next   int
	kinds  []string // what the client was asked for and can be
	refuse bool     // the client may answer with an error
}

func (s *scripts) script() script {
	s.next++
	out := script{ID: s.next, Text: text(s.Rand), Number: number(s.Rand)}
	for range s.IntN(5) {
		out.Steps = append(out.Steps, s.step())
	}
	return out
}

func (s *scripts) step() step {
	levels := []string{"debug", "info", "notice", "warning", "error"}
	switch k := s.IntN(6); {
	case k < 2:
		s.next++
		return step{Progress: s.next}
	case k < 3 || len(s.kinds) == 0:
		return step{Log: levels[s.IntN(len(levels))]}
	}
	var ask []question
	for range 1 + s.IntN(3) {
		q := question{Kind: s.kinds[s.IntN(len(s.kinds))]}
		for s.next++; !s.refuse && s.next%13 == 0; s.next++ {
		}
		if q.N = s.next; q.Kind == roots {
			if slices.ContainsFunc(ask, func(q question) bool { return q.Kind == roots }) {
				continue
			}
			q.N = 0
		}
		ask = append(ask, q)
	}
	return step{Ask: ask}
}

// text is of every plane, with what JSON escapes.
func text(r *rand.Rand) string {
	alphabet := []rune("aZ0 \"\\/\u0000\u001f\u2028é漢😀<>&\t\n")
	out := make([]rune, r.IntN(40))
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

// number is one that no float64 holds, or that has a form of its own.
func number(r *rand.Rand) json.Number {
	forms := []string{"0", "-0.0", "1.0", "1e3", "12345678901234567890", "0.1000000000000000055511151231257827", strconv.FormatInt(r.Int64(), 10)}
	return json.Number(forms[r.IntN(len(forms))])
}
