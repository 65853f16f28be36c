package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"durward"
)

// The bounds of what is read. Claude Code keeps history in its file, which
// makes tens of MiB normal.
const (
	maxFile    = 64 << 20
	maxServers = 512
	maxNotes   = 200
)

// Options say where to look and what is ours. Everything comes from the
// caller, so that a test is a temporary folder.
type Options struct {
	// Home is the person's home folder.
	Home string
	// Dir is a project folder, looked into as well; empty for none.
	Dir string
	// Env looks up environment variables that configurations refer to, and the
	// few that move a client's folder; nil knows none.
	Env func(name string) (string, bool)
	// Self lists the addresses (host:port) of our own listeners, so that a
	// client that already talks to us is not imported.
	Self []string
}

func (o Options) env(name string) (string, bool) {
	if o.Env == nil {
		return "", false
	}
	return o.Env(name)
}

// Result is what was found.
type Result struct {
	Proposals []Proposal
	// Notes tell what was left out and why, and what deserves a look.
	Notes []Note
	// Files are the configurations that exist, in the order they were read.
	Files []string
}

// Proposal is a server that a client reaches today.
type Proposal struct {
	Upstream durward.Upstream
	// Sources are all places that declare this very server.
	Sources []Source
}

// Source is one declaration of a server.
type Source struct {
	Client Client `json:"client"`
	File   string `json:"file"`
	Name   string `json:"name"` // as the client calls it
	place  string // in the file
}

// Note is one remark about a file. It never holds a value of the file.
type Note struct {
	File string
	// Place is a line and column ("3:7") or the entry ("mcpServers.github"); empty for the whole file.
	Place string
	Text  string
}

// String is the note on one line.
func (n Note) String() string {
	if n.Place == "" {
		return fmt.Sprintf("%s: %s", n.File, n.Text)
	}
	return fmt.Sprintf("%s (%s): %s", n.File, n.Place, n.Text)
}

// Find reads the configurations of all known clients below o.Home and o.Dir.
// Files that are not there are no news.
func Find(o Options) Result {
	c := newCollector(o)
	for _, p := range places(o) {
		raw, err := readFile(p.path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && p.guess {
			continue
		}
		c.file(p, raw, err)
	}
	return c.result()
}

// Read reads one file that a person named. Its client is told by its path,
// else by what is in it; a file that cannot be read is an error.
func Read(path string, o Options) (Result, error) {
	raw, err := readFile(path)
	if err != nil {
		return Result{}, fmt.Errorf("read %s: %w", path, err)
	}
	c := newCollector(o)
	c.file(placeOf(path, o), raw, nil)
	return c.result(), nil
}

// Merge joins results, the first one's names first.
func Merge(o Options, results ...Result) Result {
	c := newCollector(o)
	for _, r := range results {
		c.out.Files = append(c.out.Files, r.Files...)
		c.out.Notes = append(c.out.Notes, r.Notes...)
		for _, p := range r.Proposals {
			for _, s := range p.Sources {
				c.add(p.Upstream, s)
			}
		}
	}
	return c.result()
}

var errTooLarge = fmt.Errorf("larger than %d MiB", maxFile>>20)

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		return nil, errTooLarge
	}
	return raw, err
}

// collector gathers proposals, merges what is declared twice and gives names.
type collector struct {
	o    Options
	out  Result
	same map[string]int      // definition -> index in out.Proposals
	off  map[string][]string // project folder -> names that a person switched off there
}

func newCollector(o Options) *collector {
	return &collector{o: o, same: map[string]int{}, off: map[string][]string{}}
}

func (c *collector) result() Result { return c.out }

func (c *collector) note(file, place, format string, args ...any) {
	switch {
	case len(c.out.Notes) < maxNotes:
		c.out.Notes = append(c.out.Notes, Note{File: file, Place: place, Text: fmt.Sprintf(format, args...)})
	case len(c.out.Notes) == maxNotes:
		c.out.Notes = append(c.out.Notes, Note{File: file, Text: "more notes were left out"})
	}
}

// file reads the declarations of one configuration.
func (c *collector) file(p place, raw []byte, err error) {
	c.out.Files = append(c.out.Files, p.path)
	if err != nil {
		c.note(p.path, "", "cannot be read: %v", err)
		return
	}
	parse := parseJSON
	if filepath.Ext(p.path) == ".toml" {
		parse = parseTOML
	}
	d := parse(raw)
	for _, b := range d.bad {
		c.note(p.path, b.place, "%s", b.text)
	}
	for project, names := range d.off {
		c.off[project] = append(c.off[project], names...)
	}
	for _, e := range d.entries {
		c.entry(p, e)
	}
}

// entry turns one declaration into a proposal, or a note on why not.
func (c *collector) entry(p place, e entry) {
	at := e.place()
	e.client = p.client
	if e.project == "" {
		e.project = p.project
	}
	if e.off || slices.Contains(c.off[e.project], e.name) {
		c.note(p.path, at, "left out: %v", errSwitchedOff)
		return
	}
	u, remarks, err := e.upstream(c.o)
	if err != nil {
		c.note(p.path, at, "left out: %v", err)
		return
	}
	if why := isSelf(u, c.o.Self); why != "" {
		c.note(p.path, at, "%s", why)
		return
	}
	for _, r := range remarks {
		c.note(p.path, at, "%s", r)
	}
	c.add(u, Source{Client: p.client, File: p.path, Name: e.name, place: at})
}

func (c *collector) add(u durward.Upstream, s Source) {
	key := definition(u)
	if i, ok := c.same[key]; ok {
		c.out.Proposals[i].Sources = append(c.out.Proposals[i].Sources, s)
		return
	}
	if len(c.out.Proposals) == maxServers {
		c.note(s.File, s.place, "left out: more than %d servers", maxServers)
		return
	}
	u.Name = c.freeName(s, key)
	if faults := u.Faults(); len(faults) > 0 {
		c.note(s.File, s.place, "left out: %v", faults[0])
		return
	}
	c.same[key] = len(c.out.Proposals)
	c.out.Proposals = append(c.out.Proposals, Proposal{Upstream: u, Sources: []Source{s}})
}
