package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// Bounds of the external classifier.
const (
	classifyTime   = 500 * time.Millisecond // when the configuration says nothing
	classifyAtOnce = 32
	classifyAnswer = 64 << 10
	classifyFrom   = 10 // percent
	classifyTo     = 90
)

// What an external classifier is asked about.
const (
	carrierResults   = "results"
	carrierPrompts   = "prompts"
	carrierResources = "resources"
	carrierAsks      = "asks"
	// Definitions are asked about when they are new, see words.go.
	carrierDefinitions = "definitions"
)

// judges asks the configured classifier, a few at once.
type judges struct {
	client *http.Client
	room   chan struct{}
}

func newJudges() *judges {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = classifyAtOnce
	return &judges{
		client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		room:   make(chan struct{}, classifyAtOnce),
	}
}

func (j *judges) close() { j.client.CloseIdleConnections() }

// second asks the configured classifier about what the detectors are not sure
// of, and returns what is then seen.
func (g *Gateway) second(ctx context.Context, t *transit, s *guard.Scope, carrier string, body []byte, seen *guard.Seen) *guard.Seen {
	c := &t.plan.snapshot.Guard.Classifier
	if c.URL == "" || !borderline(c, seen.Score) || len(c.Carriers) > 0 && !slices.Contains(c.Carriers, carrier) {
		return seen
	}
	text := guard.Spoken(body)
	if len(text) == 0 {
		return seen
	}
	score, err := g.judges.ask(ctx, c, doubt{Text: string(text), Carrier: carrier, Upstream: t.call.Target.Upstream, Tool: t.call.Target.Name, Score: seen.Score})
	if err != nil {
		g.Log.Warn("classifier did not answer", "err", err)
		return s.Unclassified(seen, guard.Mode(c.Fail))
	}
	return s.Classified(seen, score)
}

func borderline(c *durward.GuardClassifier, score float64) bool {
	from, to := c.From, c.To
	if from == 0 && to == 0 {
		from, to = classifyFrom, classifyTo
	}
	return score*100 >= float64(from) && score*100 <= float64(to)
}

// carrierOf is what a reply of a method is.
func carrierOf(method string) string {
	switch method {
	case mcpwire.MethodPromptsGet:
		return carrierPrompts
	case mcpwire.MethodResourcesRead:
		return carrierResources
	}
	return carrierResults
}

// doubt is the body of a question to the classifier.
type doubt struct {
	Text     string  `json:"text"`
	Carrier  string  `json:"carrier"`
	Upstream string  `json:"upstream"`
	Tool     string  `json:"tool"`
	Score    float64 `json:"score"` // that the detectors gave
}

var errNoRoom = errors.New("too many questions at once")

// ask returns the probability of an attack.
func (j *judges) ask(ctx context.Context, c *durward.GuardClassifier, q doubt) (float64, error) {
	limit := c.Timeout
	if limit <= 0 {
		limit = classifyTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case j.room <- struct{}{}:
		defer func() { <-j.room }()
	default:
		return 0, errNoRoom
	}
	body, err := json.Marshal(q)
	if err != nil {
		return 0, fmt.Errorf("write the question: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("ask the classifier: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range c.Headers {
		req.Header.Set(name, value)
	}
	res, err := j.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the classifier: %w", err)
	}
	defer res.Body.Close()
	var out struct {
		Score *float64 `json:"score"`
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the classifier answered %s", res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, classifyAnswer)).Decode(&out); err != nil {
		return 0, fmt.Errorf("read the classifier's answer: %w", err)
	}
	if out.Score == nil || *out.Score < 0 || *out.Score > 1 {
		return 0, errors.New("the classifier gave no score from 0 to 1")
	}
	return *out.Score, nil
}
