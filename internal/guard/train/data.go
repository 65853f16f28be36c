package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
	"durward/internal/guard/samples"
)

// record is a line of the corpus, as far as training and measuring read it.
type record struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	Source  string          `json:"source"`
	Label   string          `json:"label"`
	Attack  string          `json:"attack"`
	Server  string          `json:"server"`
	Tool    json.RawMessage `json:"tool"`
	Text    string          `json:"text"`
	Payload string          `json:"payload"`
	Span    string          `json:"span"`
	raw     []byte
}

func (r *record) attack() bool { return r.Label == "malicious" }

// load reads NAME.jsonl.gz or NAME.jsonl of a directory.
func load(dir, name string) ([]record, error) {
	path := filepath.Join(dir, name+".jsonl.gz")
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return decode(z)
}

func decode(r io.Reader) ([]record, error) {
	var all []record
	in := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			var rec record
			if err := json.Unmarshal(line, &rec); err != nil {
				return nil, fmt.Errorf("line %d: %w", len(all)+1, err)
			}
			rec.raw = line
			all = append(all, rec)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// example is a record ready for training.
type example struct {
	rec   *record
	doc   model.Document
	group string // what must not be split between training and testing
}

// examples takes records apart. payloadOnly keeps, of an attack whose payload
// is known, the passages that touch it.
func examples(recs []record, lex *lexicon.Lexicon, group func(*record) string) []example {
	reader := carrier.NewReader(lex)
	out := make([]example, 0, len(recs))
	for i := range recs {
		r := &recs[i]
		x := example{rec: r, group: group(r)}
		x.doc = model.Document{Attack: r.attack(), Weight: 1}
		see := func(p *carrier.Piece) {
			for _, g := range p.Passages {
				x.doc.Passages = append(x.doc.Passages, clone(g))
			}
		}
		if len(r.Tool) > 0 {
			reader.Definition(r.Tool, see)
		} else {
			reader.Text([]byte(r.Text), "", lexicon.Set{}, see)
		}
		out = append(out, x)
	}
	return out
}

// narrowed is the document with the passages of the payload alone.
func narrowed(x *example, lex *lexicon.Lexicon) model.Document {
	if x.rec.Payload == "" || !x.doc.Attack {
		return x.doc
	}
	reader := carrier.NewReader(lex)
	d := model.Document{Attack: true, Pure: true, Weight: x.doc.Weight}
	reader.Text([]byte(x.rec.Payload), "", lexicon.Set{}, func(p *carrier.Piece) {
		for _, g := range p.Passages {
			d.Passages = append(d.Passages, clone(g))
		}
	})
	if len(d.Passages) == 0 {
		return x.doc
	}
	return d
}

func clone(p model.Passage) model.Passage {
	p.Grams, p.More = slices.Clone(p.Grams), slices.Clone(p.More)
	return p
}

func family(attack string) string {
	f, _, _ := strings.Cut(attack, ":")
	return f
}

// ownDocuments are the project's samples for a carrier, as they would stand in
// different places of it.
func ownDocuments(carrierName string, lex *lexicon.Lexicon) ([]model.Document, error) {
	c := samples.Definition
	places := []lexicon.Set{{}, {}, model.Place(lex, model.PlaceParam), model.Place(lex, model.PlaceMeta), {}, model.Place(lex, model.PlaceParam), model.Place(lex, model.PlaceEnum, model.PlaceParam), model.Place(lex, model.PlaceTitle)}
	if carrierName == "tool_responses" {
		c, places = samples.Response, []lexicon.Set{{}, {}, {}, {}, {}, {}, model.Place(lex, model.PlaceDiscusses), {}, {}, model.Place(lex, model.PlaceView)}
	}
	n := samplesPerFamily
	if c == samples.Response {
		n *= 4
	}
	all, err := samples.For(c, n, 1)
	if err != nil {
		return nil, err
	}
	reader := carrier.NewReader(lex)
	var out []model.Document
	for i, s := range all {
		d := model.Document{Attack: s.Attack, Pure: s.Attack, Weight: 1}
		reader.Text([]byte(wrapped(s.Text, i)), "", places[i%len(places)], func(p *carrier.Piece) {
			for _, g := range p.Passages {
				d.Passages = append(d.Passages, clone(g))
			}
		})
		if len(d.Passages) > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}

const samplesPerFamily = 200

// wrapped puts every third sample into what texts are wrapped in.
func wrapped(s string, i int) string {
	switch i % 27 {
	case 2:
		return "<!-- " + s + " -->"
	case 5:
		return `{"note": "` + strings.ReplaceAll(s, `"`, `\"`) + `"}`
	case 8:
		return "> " + s
	case 11:
		return "- " + s
	case 14:
		return "\"" + s + "\""
	case 17:
		return "| 14 | " + s + " | open |"
	case 20:
		return "# " + s
	case 23:
		return strings.ToLower(s)
	case 26:
		return strings.ToUpper(s)
	}
	return s
}
