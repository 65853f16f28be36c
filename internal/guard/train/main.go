// Command train fits the weights of the guard's text model and measures its
// detectors.
//
//	train -dev DIR [-natural DIR]... -out DIR    fit weights, write them and their card
//	train -dev DIR [-natural DIR]... -report     print the table of bars
//
// It reads a corpus and directories of ordinary text, named on the command
// line, and the project's own samples; the same data give the same weights.
package main

import (
	"flag"
	"fmt"
	"os"

	"durward/internal/guard/model"
)

func main() {
	dev := flag.String("dev", "../shared/threats/dev", "directory of the corpus")
	out := flag.String("out", "", "directory to write weights and their card to")
	table := flag.Bool("report", false, "print the table of bars")
	families := flag.Bool("families", false, "print every family too")
	in := inputs{}
	flag.Func("natural", "directory of ordinary text to train on too (may be repeated)", func(dir string) error {
		in.natural = append(in.natural, dir)
		return nil
	})
	flag.Parse()
	in.dev = *dev
	if err := run(in, *out, *table, *families); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// inputs are the directories that the command line names.
type inputs struct {
	dev     string
	natural []string
}

func run(in inputs, out string, table, families bool) error {
	switch {
	case out != "":
		return fit(in, out, model.DefaultFit())
	case table:
		return report(os.Stdout, in, families)
	}
	return fmt.Errorf("give -out or -report")
}
