package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/notary"
)

// Bounds of what the external classifier is asked about definitions.
const (
	wordsMost    = 20_000 // that are remembered
	wordsAtOnce  = 8
	wordsRound   = 64          // definitions of one round, after which those that were judged are in use
	wordsForgive = time.Minute // after which one that did not answer is asked again
)

// words are what the external classifier says of definitions, by digest, and
// what it is to be asked. Guarded by the mu of pins.
type words struct {
	said   map[string]notary.Word
	asking []inquiry
	queued map[string]bool // and under way
	failed time.Time       // when one was not answered first; zero for never
}

// inquiry is a doubt, and who is to be asked: that was configured when it came up.
type inquiry struct {
	notary.Doubt
	of *durward.GuardClassifier
}

func newWords() words {
	return words{said: map[string]notary.Word{}, queued: map[string]bool{}}
}

// of is where a judgement looks up the classifier's word; nil when it is not
// asked about definitions.
func (w *words) of(c *durward.GuardClassifier) func(digest string) notary.Word {
	if c.URL == "" || len(c.Carriers) > 0 && !slices.Contains(c.Carriers, carrierDefinitions) {
		return nil
	}
	return func(digest string) notary.Word {
		out := w.said[digest]
		out.Fail = c.Fail
		return out
	}
}

// doubt queues questions.
func (w *words) doubt(all []notary.Doubt, c *durward.GuardClassifier) {
	for _, d := range all {
		if !w.queued[d.Seen.Digest] {
			w.queued[d.Seen.Digest] = true
			w.asking = append(w.asking, inquiry{d, c})
		}
	}
}

func (w *words) awaits(digest string) bool { return w.queued[digest] }

func (w *words) next() []inquiry {
	n := min(len(w.asking), wordsRound)
	out := w.asking[:n:n]
	w.asking = w.asking[n:]
	return out
}

func (w *words) heard(digest string, word notary.Word, now time.Time) {
	delete(w.queued, digest)
	if len(w.said) >= wordsMost {
		clear(w.said) // what was approved since is not asked about again
	}
	w.said[digest] = word
	if word.Failed && w.failed.IsZero() {
		w.failed = now
	}
}

// retry forgets that the classifier did not answer, after a while; it reports
// whether it is to be asked again.
func (w *words) retry(now time.Time) bool {
	if w.failed.IsZero() || now.Sub(w.failed) < wordsForgive {
		return false
	}
	w.failed = time.Time{}
	for digest, word := range w.said {
		if word.Failed {
			delete(w.said, digest)
		}
	}
	return true
}

// askDefinitions asks the classifier about definitions until ctx ends or there
// are none; those that were judged come into use after each round.
func (g *Gateway) askDefinitions(ctx context.Context) {
	for ctx.Err() == nil {
		g.pins.mu.Lock()
		round := g.pins.words.next()
		g.pins.mu.Unlock()
		if len(round) == 0 {
			return
		}
		var asking sync.WaitGroup
		room := make(chan struct{}, wordsAtOnce)
		for _, d := range round {
			room <- struct{}{}
			asking.Go(func() {
				defer func() { <-room }()
				g.askDefinition(ctx, d)
			})
		}
		asking.Wait()
		if ctx.Err() == nil {
			g.relist()
		}
	}
}

// askAgain wakes who asks, for what was queued while the last one left.
func (s *pins) askAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.words.asking) > 0 {
		s.wake()
	}
}

func (g *Gateway) askDefinition(ctx context.Context, d inquiry) {
	word := notary.Word{Known: true}
	var err error
	word.Score, err = g.judges.ask(ctx, d.of, doubt{Text: string(guard.Spoken(d.Raw)), Carrier: carrierDefinitions, Upstream: d.Seen.Upstream, Tool: d.Seen.Name, Score: d.Score})
	if err != nil && ctx.Err() == nil {
		g.Log.Warn("classifier did not answer", "upstream", d.Seen.Upstream, "definition", d.Seen.Name, "err", err)
	}
	word.Failed = err != nil
	g.pins.mu.Lock()
	defer g.pins.mu.Unlock()
	g.pins.words.heard(d.Seen.Digest, word, g.Now())
}

// retryWords asks again about what the classifier did not answer.
func (g *Gateway) retryWords() {
	g.pins.mu.Lock()
	again := g.pins.words.retry(g.Now())
	g.pins.mu.Unlock()
	if again {
		g.relist()
	}
}
