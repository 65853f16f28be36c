// Package samples writes examples of attacks and of natural text that looks
// like them. All of it was written for this project; training adds it to a
// corpus, tests use it where no corpus is at hand. The same seed gives the
// same samples.
package samples

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
)

//go:embed definition.txt
var definition string

//go:embed courtesy.txt
var courtesy string

//go:embed guile.txt
var guile string

//go:embed manuals.txt
var manuals string

//go:embed multilingual.txt
var multilingual string

//go:embed response.txt
var response string

//go:embed benign.txt
var benign string

//go:embed jailbreak.txt
var jailbreak string

//go:embed hijack.txt
var hijack string

//go:embed tongues.txt
var tongues string

//go:embed everyday.txt
var everyday string

//go:embed twins.txt
var twins string

//go:embed worldwide.txt
var worldwide string

// Carrier is where a sample would stand.
type Carrier string

// The carriers.
const (
	Definition Carrier = "definition"
	Response   Carrier = "response"
)

// Sample is one sentence or short passage.
type Sample struct {
	Family string
	Attack bool
	Text   string
}

// For writes n samples per family for a carrier: attacks of its own and of
// other languages, and natural text.
func For(c Carrier, n int, seed uint64) ([]Sample, error) {
	type source struct {
		text   string
		attack bool
		only   string
	}
	sources := []source{{definition, true, ""}, {guile, true, ""}, {multilingual, true, ""}, {benign, false, string(c)}, {manuals, false, ""}, {worldwide, false, ""}}
	if c == Response {
		sources = []source{
			{response, true, ""}, {jailbreak, true, ""}, {hijack, true, ""}, {courtesy, true, ""}, {multilingual, true, ""}, {tongues, true, ""},
			{benign, false, string(c)}, {everyday, false, ""}, {twins, false, ""}, {worldwide, false, ""},
		}
	}
	rng := rand.New(rand.NewPCG(seed, uint64(len(sources[0].text))))
	var out []Sample
	for _, src := range sources {
		g, err := parse(src.text)
		if err != nil {
			return nil, err
		}
		out = append(out, g.write(rng, n, src.attack, src.only)...)
	}
	return out, nil
}

// options parts a line at bars; a bar between blanks is a pipe of a command.
func options(line string) []string {
	const pipe = "\x00"
	line = strings.ReplaceAll(line, " | ", pipe)
	out := strings.Split(line, "|")
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], pipe, " | ")
	}
	return out
}

// perTemplate keeps a family of few templates from counting for much.
const perTemplate = 40

type grammar struct {
	slots    map[string][]string
	families []string
	of       map[string][]string
}

func parse(source string) (*grammar, error) {
	g := &grammar{slots: map[string][]string{}, of: map[string][]string{}}
	slot, fam := "", ""
	for n, line := range strings.Split(source, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "@slot "):
			slot, fam = strings.TrimPrefix(line, "@slot "), ""
		case strings.HasPrefix(line, "@family "):
			slot, fam = "", strings.TrimPrefix(line, "@family ")
			g.families = append(g.families, fam)
		case slot != "":
			g.slots[slot] = append(g.slots[slot], options(line)...)
		case fam != "":
			g.of[fam] = append(g.of[fam], line)
		default:
			return nil, fmt.Errorf("samples line %d: text before @slot or @family", n+1)
		}
	}
	return g, nil
}

func (g *grammar) write(rng *rand.Rand, n int, attack bool, only string) []Sample {
	var out []Sample
	for _, f := range g.families {
		if only != "" && f != only {
			continue
		}
		lines := g.of[f]
		want := max(min(n, perTemplate*len(lines)), len(lines))
		if !attack {
			want = max(4*n, 6*len(lines))
		}
		seen := map[string]bool{}
		for i := 0; i < want; i++ {
			s := g.expand(rng, lines[i%len(lines)], 0)
			s = strings.TrimSpace(strings.ReplaceAll(s, "  ", " "))
			if s != "" && !seen[s] {
				seen[s] = true
				out = append(out, Sample{Family: f, Attack: attack, Text: sentence(s)})
			}
		}
	}
	return out
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if c := s[0]; 'a' <= c && c <= 'z' && !strings.Contains(s[:min(12, len(s))], "`") {
		return string(c-0x20) + s[1:]
	}
	return s
}

func (g *grammar) expand(rng *rand.Rand, s string, depth int) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(s, '{')
		if open < 0 || depth > 6 {
			b.WriteString(s)
			return b.String()
		}
		end := strings.IndexByte(s[open:], '}')
		if end < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:open])
		name := s[open+1 : open+end]
		if opts := g.slots[name]; len(opts) > 0 {
			b.WriteString(g.expand(rng, opts[rng.IntN(len(opts))], depth+1))
		} else {
			b.WriteString(s[open : open+end+1])
		}
		s = s[open+end+1:]
	}
}
