package model

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"durward/internal/guard/lexicon"
)

const (
	sets   = lexicon.MaxConcepts
	magic  = "dwg2"
	header = 4 + 4*7
	// Size is the length of encoded weights.
	Size = header + sets*sets + Buckets + sha256.Size
)

// Weights are the judgement of one carrier.
type Weights struct {
	bias       float32
	pairScale  float32
	gramScale  float32
	slope      float32 // of the calibration
	offset     float32
	act        float32 // margin from which a finding acts, not only tells
	vocabulary uint32  // fingerprint of the concepts they were trained with
	pairs      [sets * sets]int8
	grams      [Buckets]int8
}

// Floats are weights before they are rounded, as training sees them.
type Floats struct {
	Bias          float32
	Pairs         []float32 // sets*sets, upper triangle
	Grams         []float32
	Slope, Offset float32
}

// NewFloats returns weights of zero with the plain calibration.
func NewFloats() *Floats {
	return &Floats{Pairs: make([]float32, sets*sets), Grams: make([]float32, Buckets), Slope: 1}
}

// Round returns the eight-bit form.
func (f *Floats) Round(lex *lexicon.Lexicon) *Weights {
	w := &Weights{bias: f.Bias, slope: f.Slope, offset: f.Offset, vocabulary: fingerprint(lex)}
	w.pairScale = quantise(w.pairs[:], f.Pairs)
	w.gramScale = quantise(w.grams[:], f.Grams)
	return w
}

func quantise(dst []int8, src []float32) float32 {
	top := float32(1e-6)
	for _, x := range src {
		top = max(top, float32(math.Abs(float64(x))))
	}
	scale := top / 127
	for i, x := range src {
		dst[i] = int8(math.RoundToEven(float64(x / scale)))
	}
	return scale
}

// Margin is the score of a passage before calibration; above zero is suspicious.
func (w *Weights) Margin(p *Passage) float32 {
	if p.by == w {
		return p.margin
	}
	var grams int32
	for _, g := range p.Grams {
		grams += int32(w.grams[g])
	}
	for _, g := range p.More {
		grams += int32(w.grams[g])
	}
	return w.concepts(p.Concepts) + w.groups(grams, int32(len(p.Grams)+len(p.More)))
}

// concepts is the part of the margin that the concepts have, and the bias.
func (w *Weights) concepts(in lexicon.Set) float32 {
	var list [sets]uint8
	all := in.Append(list[:0])
	var pairs int32
	for i, a := range all {
		row := (*[sets]int8)(w.pairs[int(a)*sets:])
		for _, b := range all[i:] {
			pairs += int32(row[b&(sets-1)])
		}
	}
	return w.bias + float32(pairs)*w.pairScale*spread[len(all)]
}

// groups is the part that n word groups have whose weights sum up to sum.
func (w *Weights) groups(sum, n int32) float32 {
	return float32(sum) * w.gramScale * norm(n)
}

// spread weighs concept pairs so that long lists of concepts do not shout.
var spread = func() (t [sets + 1]float32) {
	for n := range t {
		t[n] = float32(1 / math.Sqrt(math.Max(1, float64(n*(n+1)/2))))
	}
	return t
}()

// Norm weighs word groups by the length of the passage.
func Norm(p *Passage) float32 { return norm(int32(len(p.Grams) + len(p.More))) }

func norm(n int32) float32 { return float32(1 / math.Sqrt(float64(n+8))) }

// Probability calibrates the margin of a document's worst passage.
func (w *Weights) Probability(margin float32) float64 {
	return 1 / (1 + math.Exp(-float64(w.slope*margin+w.offset)))
}

// fingerprint ties weights to the vocabulary they were trained with.
func fingerprint(lex *lexicon.Lexicon) uint32 {
	h := sha256.New()
	for i := range lex.Len() {
		h.Write([]byte(lex.Name(lexicon.Concept(i))))
		h.Write([]byte{0})
	}
	return binary.LittleEndian.Uint32(h.Sum(nil)) ^ uint32(shapeCount)
}

// Encode returns the stored form: header, concept pairs, word groups, checksum.
func (w *Weights) Encode() []byte {
	out := make([]byte, 0, Size)
	out = append(out, magic...)
	for _, f := range []float32{w.bias, w.pairScale, w.gramScale, w.slope, w.offset, w.act} {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	out = binary.LittleEndian.AppendUint32(out, w.vocabulary)
	for _, x := range w.pairs {
		out = append(out, byte(x))
	}
	for _, x := range w.grams {
		out = append(out, byte(x))
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// Decode reads the stored form and checks it against the vocabulary.
func Decode(b []byte, lex *lexicon.Lexicon) (*Weights, error) {
	if len(b) != Size || string(b[:4]) != magic {
		return nil, errors.New("model: not a weights file")
	}
	body := b[:Size-sha256.Size]
	if sum := sha256.Sum256(body); string(sum[:]) != string(b[len(body):]) {
		return nil, errors.New("model: checksum does not match")
	}
	w := &Weights{}
	for i, f := range []*float32{&w.bias, &w.pairScale, &w.gramScale, &w.slope, &w.offset, &w.act} {
		*f = math.Float32frombits(binary.LittleEndian.Uint32(b[4+4*i:]))
	}
	w.vocabulary = binary.LittleEndian.Uint32(b[28:])
	if w.vocabulary != fingerprint(lex) {
		return nil, fmt.Errorf("model: weights belong to another vocabulary (%08x)", w.vocabulary)
	}
	for i, x := range body[header : header+sets*sets] {
		w.pairs[i] = int8(x)
	}
	for i, x := range body[header+sets*sets:] {
		w.grams[i] = int8(x)
	}
	return w, nil
}
