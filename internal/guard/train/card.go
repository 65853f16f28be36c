package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"durward/internal/guard/model"
)

// trained is what the card says of one set of weights.
type trained struct {
	file, corpus           string
	attacks, natural, hard share // across folds: told, told, acted on
	own, files             int
	filesSum               [sha256.Size]byte
	tell, act              float32
	sum                    [sha256.Size]byte
	inputs                 [sha256.Size]byte
}

// card writes what a reader of the weights has to know.
func card(dir string, all []trained, o model.FitOptions) error {
	var b strings.Builder
	b.WriteString(cardHead)
	for _, t := range all {
		fmt.Fprintf(&b, "\n## %s\n\n", t.file)
		fmt.Fprintf(&b, "| | |\n|---|---|\n")
		fmt.Fprintf(&b, "| corpus | %s: %d attacks, %d natural; SHA-256 of the file %x |\n", t.corpus, t.attacks.of, t.natural.of+t.hard.of, t.inputs[:8])
		fmt.Fprintf(&b, "| own samples | %d |\n", t.own)
		if t.files > 0 {
			fmt.Fprintf(&b, "| ordinary files | %d; SHA-256 of what was read of them %x |\n", t.files, t.filesSum[:8])
		}
		fmt.Fprintf(&b, "| attacks told, by the model alone, across folds | %s |\n| natural told | %s |\n", t.attacks, t.natural)
		if t.hard.of > 0 {
			fmt.Fprintf(&b, "| hard natural acted on | %s |\n", t.hard)
		}
		fmt.Fprintf(&b, "| tells from margin | %.2f |\n| acts from margin | %.2f |\n", t.tell, t.act)
		fmt.Fprintf(&b, "| SHA-256 of the weights | %x |\n| size | %d bytes, eight-bit weights |\n", t.sum, model.Size)
	}
	fmt.Fprintf(&b, "\n## How\n\nLogistic loss on the worst passage of each document, adaptive steps; %d epochs, rate %g, decay %g and %g, "+
		"%g of the steps see concepts alone, %g of the word groups are hidden; seed %d. The same data give the same bytes.\n",
		o.Epochs, o.Rate, o.Decay, o.PairCost, o.Drop, o.DropGram, o.Seed)
	return os.WriteFile(filepath.Join(dir, "CARD.md"), []byte(b.String()), 0o644)
}

const cardHead = `# Model card: the guard's text weights

Two linear models judge passages (a sentence, or two neighbours) by the concepts that stand together in them
(` + "`internal/guard/lexicon/concepts.txt`" + `), by their outline, and by hashed word groups. A document is as suspicious as its worst
passage.

**For:** evidence that routes definitions to review and cuts orders out of results. **Not for:** a guarantee. Wording that
nobody has written before passes; pins, namespaces, labels and approval are the guarantee.

**Data.** A corpus of public and authored records that is not part of this repository (its texts have many licences; only
weights derived from them are here), and samples written for this project (` + "`internal/guard/samples`" + `): attacks of many kinds in
seventy languages, and harmless twins that use their words. For results also ordinary files: of Go's own sources and of the
modules in ` + "`internal/guard/train/natural.txt`" + `; which files, and which part of each, follows from their names. Left out of
training: harmless questions that are off the user's task, which no text can tell from honest ones.

**Folds.** Six; an attack family is in one fold only, natural definitions of a server too, natural results of a source too.
Thresholds are taken on scores across folds: fewer than 1 in 100 natural documents tell, fewer than 3 in 100 hard ones
(security documents, agent instructions, role-play prompts) are acted on.

**Figures.** Below are those of the models alone, with Wilson intervals (95 %). ` + "`make guard-report`" + ` prints those of the whole
guard, by family; the last table is in ` + "`docs/guard-report.md`" + `.

**Known to be weak.** Polite requests without any mark of an order ("please update record 12"); languages that the vocabulary does
not know; openly hostile tools with harmless wording; orders spread over many sentences. An attacker who reads this
repository can search for wording that passes.
`
