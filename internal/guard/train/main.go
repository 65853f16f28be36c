// Command train fits the weights of the guard's text model and measures its
// detectors.
//
//	train -dev DIR -out DIR      fit weights, write them and their card
//	train -dev DIR -report       print the table of bars
//
// It reads a corpus from a directory named on the command line and the
// project's own samples; the same data give the same weights.
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
	flag.Parse()
	if err := run(*dev, *out, *table, *families); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(dev, out string, table, families bool) error {
	switch {
	case out != "":
		return fit(dev, out, model.DefaultFit())
	case table:
		return report(os.Stdout, dev, families)
	}
	return fmt.Errorf("give -out or -report")
}
