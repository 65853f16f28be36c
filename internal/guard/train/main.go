// Command train fits the weights of the guard's text model and measures its
// detectors. It reads a corpus from a directory named on the command line and
// the project's own samples; the same data give the same weights.
package main

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"time"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

func main() {
	dir := flag.String("dev", "../shared/threats/dev", "directory of the corpus")
	o := model.DefaultFit()
	flag.Float64Var(&o.Drop, "drop", o.Drop, "")
	flag.Float64Var(&o.DropGram, "dropgram", o.DropGram, "")
	rest := flag.Float64("rest", float64(o.Rest), "")
	pc := flag.Float64("paircost", float64(o.PairCost), "")
	dc := flag.Float64("decay", float64(o.Decay), "")
	flag.IntVar(&o.Epochs, "epochs", o.Epochs, "")
	what := flag.String("explore", "", "carrier to explore")
	out := flag.String("out", "", "directory to write weights to")
	flag.Parse()
	o.Rest, o.PairCost, o.Decay = float32(*rest), float32(*pc), float32(*dc)
	if *out != "" {
		if err := fit(*dir, *out, o); err != nil {
			fmt.Fprintln(os.Stderr, "train:", err)
			os.Exit(1)
		}
		return
	}
	if err := explore(*dir, *what, o); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func explore(dir, what string, o model.FitOptions) error {
	lex := lexicon.Default()
	group := definitionGroup
	if what == "tool_responses" {
		group = responseGroup
	}
	recs, err := load(dir, what)
	if err != nil {
		return err
	}
	start := time.Now()
	xs := examples(recs, lex, group)
	n := 0
	for _, x := range xs {
		n += len(x.doc.Passages)
	}
	fmt.Printf("%d docs %d passages %v\n", len(xs), n, time.Since(start))
	own, err := ownDocuments(what, lex)
	if err != nil {
		return err
	}
	fmt.Println("own", len(own))
	for _, blind := range []bool{false, true} {
		start = time.Now()
		s := crossed(xs, own, lex, 6, blind, o)
		fmt.Println("blind", blind, time.Since(start))
		summary(xs, s)
		if blind {
			break
		}
	}
	return nil
}

func summary(xs []example, s []float32) {
	var ben, hard []float32
	for i, x := range xs {
		if !x.doc.Attack {
			if family(x.rec.Attack) == "hard_negative" {
				hard = append(hard, s[i])
			} else {
				ben = append(ben, s[i])
			}
		}
	}
	sort.Slice(ben, func(i, j int) bool { return ben[i] > ben[j] })
	sort.Slice(hard, func(i, j int) bool { return hard[i] > hard[j] })
	for _, fpr := range []float64{0.005, 0.01, 0.02} {
		t := ben[int(fpr*float64(len(ben)))]
		if len(hard) > 0 {
			h := hard[int(0.03*float64(len(hard)))]
			over := 0
			for _, x := range hard {
				if x > t {
					over++
				}
			}
			fmt.Printf("  hard 3%%: %.2f, over at t %d/%d ", h, over, len(hard))
		}
		hit, n := map[string]int{}, map[string]int{}
		total, hits := 0, 0
		for i, x := range xs {
			if x.doc.Attack {
				total++
				n[family(x.rec.Attack)]++
				if s[i] > t {
					hits++
					hit[family(x.rec.Attack)]++
				}
			}
		}
		fmt.Printf("fpr %.3f threshold %.2f recall %.3f (%d/%d)\n", fpr, t, float64(hits)/float64(total), hits, total)
		if fpr == 0.01 {
			var fs []string
			for f := range n {
				fs = append(fs, f)
			}
			sort.Strings(fs)
			for _, f := range fs {
				fmt.Printf("   %-26s %3d/%3d\n", f, hit[f], n[f])
			}
			fp := map[string]int{}
			for i, x := range xs {
				if !x.doc.Attack && s[i] > t {
					fp[x.rec.Attack+"|"+x.rec.Source]++
				}
			}
			fmt.Println("   FP", fp)
		}
	}
}
