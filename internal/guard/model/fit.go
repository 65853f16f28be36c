package model

import (
	"math"
	"math/rand/v2"
)

// Document is one example for training: its passages, and whether any of them
// is an attack. The worst passage stands for the document.
type Document struct {
	Passages []Passage
	Attack   bool
	Pure     bool // every passage is part of the attack
	Weight   float32
}

// FitOptions tune training.
type FitOptions struct {
	Epochs   int
	Rate     float32
	Decay    float32 // weight decay of word groups per update
	PairCost float32 // weight decay of concept pairs per update
	Drop     float64 // how often a step sees the concepts alone
	DropGram float64 // how often a step does not see a word group
	Rest     float32 // weight of the other passages of a pure attack
	Seed     uint64
}

// DefaultFit is what the released weights were trained with.
func DefaultFit() FitOptions {
	return FitOptions{Epochs: 24, Rate: 0.15, Decay: 1e-3, PairCost: 1e-4, Drop: 0.1, DropGram: 0.1, Seed: 7}
}

// Fit trains weights by stochastic gradient descent with adaptive rates. It
// is deterministic.
func Fit(docs []Document, o FitOptions) *Floats {
	f, mean := NewFloats(), NewFloats()
	t := &trainer{f: f, o: o, gp: make([]float32, len(f.Pairs)), gg: make([]float32, len(f.Grams))}
	rng := rand.New(rand.NewPCG(o.Seed, o.Seed))
	t.rng = rng
	order := make([]int, len(docs))
	for i := range order {
		order[i] = i
	}
	for e := range o.Epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			t.document(&docs[i], e)
		}
		if e >= o.Epochs/2 {
			mean.gather(f)
		}
	}
	return mean.scaled(1 / float32(o.Epochs-o.Epochs/2))
}

// gather adds weights; the mean of the later epochs wavers less than the last.
func (f *Floats) gather(g *Floats) {
	f.Bias += g.Bias
	for i, x := range g.Pairs {
		f.Pairs[i] += x
	}
	for i, x := range g.Grams {
		f.Grams[i] += x
	}
}

func (f *Floats) scaled(by float32) *Floats {
	f.Bias *= by
	for i := range f.Pairs {
		f.Pairs[i] *= by
	}
	for i := range f.Grams {
		f.Grams[i] *= by
	}
	return f
}

type trainer struct {
	f      *Floats
	o      FitOptions
	gp, gg []float32 // squared gradients so far
	gb     float32
	rng    *rand.Rand
	buf    []uint32
}

func (t *trainer) document(d *Document, epoch int) {
	if d.Attack {
		best, top := -1, float32(math.Inf(-1))
		for i := range d.Passages {
			if m := t.f.Margin(&d.Passages[i]); m > top {
				best, top = i, m
			}
		}
		if best < 0 {
			return
		}
		t.step(&d.Passages[best], top, 1, d.Weight)
		for i := range d.Passages {
			if d.Pure && i != best {
				t.step(&d.Passages[i], t.f.Margin(&d.Passages[i]), 1, d.Weight*t.o.Rest)
			}
		}
		return
	}
	for i := range d.Passages {
		m := t.f.Margin(&d.Passages[i])
		if epoch > 0 && m < -4 { // learned already
			continue
		}
		t.step(&d.Passages[i], m, 0, d.Weight)
	}
}

// Margin is the score of a passage with unrounded weights.
func (f *Floats) Margin(p *Passage) float32 {
	var list [sets]uint8
	in := p.Concepts.Append(list[:0])
	var pairs, grams float32
	for i, a := range in {
		row := int(a) * sets
		for _, b := range in[i:] {
			pairs += f.Pairs[row+int(b)]
		}
	}
	for _, g := range p.Grams {
		grams += f.Grams[g]
	}
	for _, g := range p.More {
		grams += f.Grams[g]
	}
	return f.Bias + pairs*spread[len(in)] + grams*Norm(p)
}

// step moves the weights towards the answer for one passage. Some steps hide
// the words, so that what stands together must carry the judgement alone.
func (t *trainer) step(p *Passage, margin, want, weight float32) {
	q := *p
	q.Grams, q.More = t.thin(p.Grams, p.More), nil
	if len(q.Grams) != len(p.Grams)+len(p.More) {
		margin = t.f.Margin(&q)
	}
	g := (float32(1/(1+math.Exp(-float64(margin)))) - want) * weight
	if g > -1e-4 && g < 1e-4 {
		return
	}
	t.gb += g * g
	t.f.Bias -= t.o.Rate * 0.1 * g / float32(math.Sqrt(float64(t.gb)+1))
	var list [sets]uint8
	in := p.Concepts.Append(list[:0])
	s := spread[len(in)] * g
	for i, a := range in {
		row := int(a) * sets
		for _, b := range in[i:] {
			t.move(t.f.Pairs, t.gp, row+int(b), s, t.o.PairCost)
		}
	}
	s = Norm(&q) * g
	for _, i := range q.Grams {
		t.move(t.f.Grams, t.gg, int(i), s, t.o.Decay)
	}
}

func (t *trainer) thin(a, b []uint32) []uint32 {
	t.buf = t.buf[:0]
	if t.rng.Float64() < t.o.Drop {
		return t.buf
	}
	for _, l := range [2][]uint32{a, b} {
		for _, g := range l {
			if t.rng.Float64() >= t.o.DropGram {
				t.buf = append(t.buf, g)
			}
		}
	}
	return t.buf
}

func (t *trainer) move(w, sum []float32, i int, g, decay float32) {
	sum[i] += g * g
	rate := t.o.Rate / float32(math.Sqrt(float64(sum[i])+0.01))
	w[i] -= rate * (g + decay*w[i])
}

// Calibrate fits slope and offset of a logistic curve to margins of documents
// that were not trained on, with attacks reweighted to the prior.
func Calibrate(margins []float32, attack []bool, prior float64) (slope, offset float32) {
	n := 0
	for _, a := range attack {
		if a {
			n++
		}
	}
	wp, wn := prior/float64(max(n, 1)), (1-prior)/float64(max(len(attack)-n, 1))
	a, b := 1.0, 0.0
	for range 4000 {
		var da, db float64
		for i, m := range margins {
			p := 1 / (1 + math.Exp(-(a*float64(m) + b)))
			e, w := p, wn
			if attack[i] {
				e, w = p-1, wp
			}
			da += w * e * float64(m)
			db += w * e
		}
		a -= 0.5 * da
		b -= 0.5 * db
	}
	return float32(max(a, 0.05)), float32(b)
}
