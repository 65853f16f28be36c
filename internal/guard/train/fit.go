package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

// carriers are what weights are trained for: the corpus file, the weights
// file, and how its records group.
var carriers = []struct {
	corpus, weights string
	group           func(*record) string
}{
	{"tool_definitions", "definition.bin", definitionGroup},
	{"tool_responses", "response.bin", responseGroup},
}

// fit trains and writes the released weights.
func fit(in inputs, out string, o model.FitOptions) error {
	lex := lexicon.Default()
	dir := in.dev
	var cards []trained
	for _, c := range carriers {
		recs, err := load(dir, c.corpus)
		if err != nil {
			return err
		}
		own, nat, err := beside(c.corpus, in, lex)
		if err != nil {
			return err
		}
		xs := examples(recs, lex, c.group)
		scores := crossed(xs, own, lex, o)
		docs := append([]model.Document(nil), own...)
		for i := range xs {
			if learnable(xs[i].rec) {
				docs = append(docs, narrowed(&xs[i], lex))
			}
		}
		w := model.Fit(balanced(docs), o).Round(lex)
		t, act := thresholds(xs, scores)
		w.Set(slope(xs, scores, t), t, act)
		raw := w.Encode()
		if err := os.WriteFile(filepath.Join(out, c.weights), raw, 0o644); err != nil {
			return fmt.Errorf("write weights: %w", err)
		}
		source, err := os.ReadFile(filepath.Join(dir, c.corpus+".jsonl.gz"))
		if err != nil {
			return err
		}
		t0 := trained{file: c.weights, corpus: c.corpus, own: len(own) - len(nat.docs), files: len(nat.docs), filesSum: nat.sum, tell: t, act: act, sum: sha256.Sum256(raw), inputs: sha256.Sum256(source)}
		for i, x := range xs {
			switch {
			case x.doc.Attack:
				t0.attacks.add(scores[i] >= t)
			case family(x.rec.Attack) == "hard_negative":
				t0.hard.add(scores[i] >= act)
			default:
				t0.natural.add(scores[i] >= t)
			}
		}
		cards = append(cards, t0)
		fmt.Printf("%s: %d documents and %d own samples, thresholds %.2f and %.2f\n", c.weights, len(xs), len(own), t, act)
	}
	return card(out, cards, o)
}

// beside are the documents that are trained on beside the corpus: own samples
// and, for results, ordinary text.
func beside(corpus string, in inputs, lex *lexicon.Lexicon) ([]model.Document, *natural, error) {
	own, err := ownDocuments(corpus, lex)
	if err != nil {
		return nil, nil, err
	}
	nat := &natural{}
	if corpus == "tool_responses" {
		if nat, err = readNatural(in.natural, lex); err != nil {
			return nil, nil, err
		}
	}
	return append(own, nat.docs...), nat, nil
}

// apart keeps documents that score the same as the one at a threshold below it.
const apart = 0.01

// thresholds are the margin that fewer than one in a hundred natural documents
// exceed, and the margin that in addition fewer than three in a hundred of the
// hardest do. Both leave room for what rules beside the model find.
func thresholds(xs []example, scores []float32) (tell, act float32) {
	var plain, hard []float32
	for i, x := range xs {
		switch {
		case x.doc.Attack:
		case family(x.rec.Attack) == "hard_negative":
			hard = append(hard, scores[i])
		default:
			plain = append(plain, scores[i])
		}
	}
	tell = upper(plain, 0.007)
	if len(hard) == 0 { // definitions: recall is high enough to ask for half
		tell = upper(plain, 0.005)
	}
	return tell + apart, max(tell, upper(hard, 0.022)) + apart
}

func upper(s []float32, share float64) float32 {
	if len(s) == 0 {
		return -20
	}
	sort.Slice(s, func(i, j int) bool { return s[i] > s[j] })
	return s[int(share*float64(len(s)))]
}

// slope spreads the scores: margins one threshold's distance above the median
// of natural text reach nine in ten.
func slope(xs []example, scores []float32, t float32) float32 {
	m := make([]float32, 0, len(xs))
	a := make([]bool, 0, len(xs))
	for i, x := range xs {
		m = append(m, scores[i]-t)
		a = append(a, x.doc.Attack)
	}
	s, _ := model.Calibrate(m, a, 0.2)
	return max(s, 0.6)
}

// learnable leaves out attacks that no text can tell: harmless questions that
// are off the user's task.
func learnable(r *record) bool {
	return family(r.Attack) != "ipi_offtask" && family(r.Attack) != "annotation_mismatch"
}
