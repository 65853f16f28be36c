package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"durward/internal/guard/carrier"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

// natural is ordinary text from directories named on the command line: sources
// and documents of other people, which no corpus of attacks holds. Which files
// are read, and which part of them, follows from their names alone.
type natural struct {
	docs []model.Document
	sum  [sha256.Size]byte // of all that was read
}

const (
	mostFiles = 800     // of one directory
	perFolder = 6       // of one folder in it, two levels deep
	leastFile = 60      // bytes
	mostFile  = 400_000 // bytes
)

type naturalFile struct {
	path, name, folder string
	key                uint64
}

func readNatural(dirs []string, lex *lexicon.Lexicon) (*natural, error) {
	n, sum := &natural{}, sha256.New()
	reader := carrier.NewReader(lex)
	for _, dir := range dirs {
		files, err := naturalFiles(dir)
		if err != nil {
			return nil, fmt.Errorf("natural text in %s: %w", dir, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f.path)
			if err != nil {
				return nil, err
			}
			b = part(b, f.key)
			if !utf8.Valid(b) {
				continue
			}
			sum.Write(b)
			d := model.Document{Weight: 1}
			reader.Text(b, "", lexicon.Set{}, func(p *carrier.Piece) {
				for _, g := range p.Passages {
					d.Passages = append(d.Passages, clone(g))
				}
			})
			if len(d.Passages) > 0 {
				n.docs = append(n.docs, d)
			}
		}
	}
	n.sum = [sha256.Size]byte(sum.Sum(nil))
	return n, nil
}

// part cuts a file as results are cut: at a length and a place of its own.
func part(b []byte, key uint64) []byte {
	length := []int{400, 1000, 2500, 8000}[key%4]
	if len(b) <= length {
		return b
	}
	at := 0
	if key>>8%2 == 1 {
		at = int(key >> 16 % uint64(len(b)-length))
	}
	b = b[at : at+length]
	for i := 0; i < 3 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	for i := 0; i < 3 && len(b) > 0; i++ {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

func naturalFiles(dir string) ([]naturalFile, error) {
	var all []naturalFile
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && path != dir {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !textFile(d.Name()) || info.Size() < leastFile || info.Size() > mostFile {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		sum := sha256.Sum256([]byte(name))
		all = append(all, naturalFile{path, name, folder(name), binary.LittleEndian.Uint64(sum[:])})
		return nil
	})
	slices.SortFunc(all, func(a, b naturalFile) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.name, b.name)) })
	seen := map[string]int{}
	all = slices.DeleteFunc(all, func(f naturalFile) bool { seen[f.folder]++; return seen[f.folder] > perFolder })
	return all[:min(len(all), mostFiles)], err
}

func folder(name string) string {
	parts := strings.Split(name, "/")
	return strings.Join(parts[:min(len(parts)-1, 3)], "/")
}

func textFile(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".md", ".txt", ".rst", ".go", ".py", ".js", ".ts", ".c", ".h", ".json", ".yaml", ".yml", ".toml", ".html", ".css", ".sh", ".proto", ".xml", ".1":
		return true
	}
	return name == "README" || name == "LICENSE"
}
