package main

import (
	"hash/fnv"
	"math"
	"sort"
	"strings"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

// definitionGroup keeps an attack family, and a server's benign tools, together.
func definitionGroup(r *record) string {
	if r.attack() {
		return "attack/" + r.Attack
	}
	return "server/" + r.Server
}

// responseGroup keeps an attack's source and family, and a benign source, together.
func responseGroup(r *record) string {
	if !r.attack() {
		s, _, _ := strings.Cut(r.Source, ":")
		if family(r.Attack) == "hard_negative" {
			return "benign/" + r.Attack + "/" + s
		}
		return "benign/" + s
	}
	switch f := family(r.Attack); f {
	case "ipi_authored_buried", "ipi_authored_short", "ipi_obfuscated":
		return "attack/authored"
	case "ipi_goal", "ipi_goal_buried":
		return "attack/goal"
	default:
		return "attack/" + f
	}
}

// folds deals groups to n folds, the biggest attack groups first.
func folds(xs []example, n int) []int {
	size := map[string]int{}
	for _, x := range xs {
		size[x.group]++
	}
	groups := make([]string, 0, len(size))
	for g := range size {
		groups = append(groups, g)
	}
	sort.Slice(groups, func(i, j int) bool {
		if size[groups[i]] != size[groups[j]] {
			return size[groups[i]] > size[groups[j]]
		}
		return hash(groups[i]) < hash(groups[j])
	})
	var load [2][]int
	load[0], load[1] = make([]int, n), make([]int, n)
	of := map[string]int{}
	for _, g := range groups {
		side := 0
		if strings.HasPrefix(g, "attack/") {
			side = 1
		}
		best := 0
		for f := range n {
			if load[side][f] < load[side][best] {
				best = f
			}
		}
		of[g] = best
		load[side][best] += size[g]
	}
	out := make([]int, len(xs))
	for i, x := range xs {
		out[i] = of[x.group]
	}
	return out
}

func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

const foldCount = 6

// foldFit fits weights on all but one fold. With blind, no attack of the
// corpus is trained on at all: only our own samples.
func foldFit(xs []example, own []model.Document, lex *lexicon.Lexicon, fold []int, f int, blind bool, o model.FitOptions) *model.Weights {
	docs := append([]model.Document(nil), own...)
	for i := range xs {
		if fold[i] != f && !(blind && xs[i].doc.Attack) && learnable(xs[i].rec) {
			docs = append(docs, narrowed(&xs[i], lex))
		}
	}
	return model.Fit(balanced(docs), o).Round(lex)
}

// crossed scores every example by weights that have not seen its group.
func crossed(xs []example, own []model.Document, lex *lexicon.Lexicon, o model.FitOptions) []float32 {
	fold := folds(xs, foldCount)
	out := make([]float32, len(xs))
	for f := range foldCount {
		w := foldFit(xs, own, lex, fold, f, false, o)
		for i := range xs {
			if fold[i] == f {
				out[i] = worst(w, xs[i].doc.Passages)
			}
		}
	}
	return out
}

// balanced weighs attacks against the many passages of natural text.
func balanced(docs []model.Document) []model.Document {
	attacks, passages := 0, 0
	for _, d := range docs {
		if d.Attack {
			attacks++
		} else {
			passages += len(d.Passages)
		}
	}
	w := float32(math.Sqrt(float64(max(passages, 1)) / float64(max(attacks, 1))))
	for i := range docs {
		if docs[i].Attack {
			docs[i].Weight *= w
		}
	}
	return docs
}

func worst(w *model.Weights, ps []model.Passage) float32 {
	top := float32(-20)
	for i := range ps {
		top = max(top, w.Margin(&ps[i]))
	}
	return top
}
