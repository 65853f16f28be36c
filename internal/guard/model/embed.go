package model

import (
	_ "embed"
	"sync"

	"durward/internal/guard/lexicon"
)

//go:embed weights/definition.bin
var definitionWeights []byte

//go:embed weights/response.bin
var responseWeights []byte

// Definition returns the released weights for definitions.
var Definition = sync.OnceValue(func() *Weights { return released(definitionWeights) })

// Response returns the released weights for results.
var Response = sync.OnceValue(func() *Weights { return released(responseWeights) })

func released(b []byte) *Weights {
	w, err := Decode(b, lexicon.Default())
	if err != nil {
		panic(err) // embedded at build time; a test reads them
	}
	return w
}

// Set changes the calibration: Probability is then 1/2 at threshold, and grows
// by slope; findings act from the margin act on.
func (w *Weights) Set(slope, threshold, act float32) {
	w.slope, w.offset, w.act = slope, -slope*threshold, act
}

// Act is the probability from which a finding acts, not only tells.
func (w *Weights) Act() float64 { return w.Probability(w.act) }

// Tells reports a margin that a finding tells of.
func (w *Weights) Tells(margin float32) bool { return w.slope*margin+w.offset >= 0 }
