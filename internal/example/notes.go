package example

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// The bounds of a notebook: about 4 MiB at the very most.
const (
	maxNotes = 512
	maxTitle = 120
	maxText  = 8 << 10
	maxTags  = 8
)

// Note is one note of the example.
type Note struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Tags  []string `json:"tags"`
	Text  string   `json:"text"`
}

var (
	errNoNote = errors.New("no such note; notes_search with an empty query lists every id")
	errFull   = fmt.Errorf("the notebook is full (%d notes); delete one first", maxNotes)
)

// notebook keeps notes in memory and, when it has a folder, one Markdown file
// for each note in it.
type notebook struct {
	dir *os.Root // nil: memory only

	mu    sync.RWMutex // guards notes
	notes map[string]Note
}

// openNotebook starts with the notes of dir, or with the seeds when dir is
// empty or there are none in it yet.
func openNotebook(dir string) (*notebook, error) {
	b := &notebook{notes: map[string]Note{}}
	if dir == "" {
		b.seed()
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open notes: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open notes: %w", err)
	}
	b.dir = root
	if err := b.load(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if len(b.notes) == 0 {
		b.seed()
	}
	return b, nil
}

func (b *notebook) close() error {
	if b.dir == nil {
		return nil
	}
	return b.dir.Close()
}

func (b *notebook) seed() {
	for _, n := range seeds() {
		b.notes[n.ID] = n
	}
}

func (b *notebook) load() error {
	entries, err := fs.ReadDir(b.dir.FS(), ".")
	if err != nil {
		return fmt.Errorf("read notes: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".md")
		if !ok || !e.Type().IsRegular() || !validID(id) || len(b.notes) == maxNotes {
			continue
		}
		raw, err := b.readFile(e.Name())
		if err != nil {
			return fmt.Errorf("read note %s: %w", id, err)
		}
		b.notes[id] = parseNote(id, raw)
	}
	return nil
}

func (b *notebook) readFile(name string) (string, error) {
	f, err := b.dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxText+1024))
	return string(raw), err
}

// get returns a copy of the note; its tags are never changed in place.
func (b *notebook) get(id string) (Note, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n, ok := b.notes[id]
	if !ok {
		return Note{}, errNoNote
	}
	return n, nil
}

// all returns every note in the order of ids.
func (b *notebook) all() []Note {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Values(b.notes), func(x, y Note) int { return cmp.Compare(x.ID, y.ID) })
}

// add stores a new note under an id made of its title.
func (b *notebook) add(title, text string, tags []string) (Note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.notes) >= maxNotes {
		return Note{}, errFull
	}
	n := Note{ID: b.freeID(title), Title: title, Tags: tags, Text: text}
	if b.dir != nil {
		if err := b.dir.WriteFile(n.ID+".md", []byte(n.markdown()), 0o600); err != nil {
			return Note{}, fmt.Errorf("save note %s: %w", n.ID, err)
		}
	}
	b.notes[n.ID] = n
	return n, nil
}

func (b *notebook) remove(id string) (Note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.notes[id]
	if !ok {
		return Note{}, errNoNote
	}
	if b.dir != nil {
		if err := b.dir.Remove(id + ".md"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Note{}, fmt.Errorf("remove note %s: %w", id, err)
		}
	}
	delete(b.notes, id)
	return n, nil
}

// search finds notes that hold every word of the query (all notes for none)
// and, when tag is set, carry it.
func (b *notebook) search(query, tag string, limit int) (found []Note, total int) {
	words := strings.Fields(strings.ToLower(query))
	for _, n := range b.all() {
		if !n.matches(words, tag) {
			continue
		}
		if total++; total <= limit {
			found = append(found, n)
		}
	}
	return found, total
}

// tags returns every tag that starts with prefix, in order.
func (b *notebook) tags(prefix string) []string {
	seen := map[string]bool{}
	for _, n := range b.all() {
		for _, t := range n.Tags {
			if strings.HasPrefix(t, prefix) {
				seen[t] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// ids returns every id that starts with prefix, in order.
func (b *notebook) ids(prefix string) []string {
	var ids []string
	for _, n := range b.all() {
		if strings.HasPrefix(n.ID, prefix) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (n Note) matches(words []string, tag string) bool {
	if tag != "" && !slices.Contains(n.Tags, tag) {
		return false
	}
	hay := strings.ToLower(n.Title + "\n" + n.Text + "\n" + strings.Join(n.Tags, " "))
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) })
}

// markdown is the form in which a note lies in a folder and in resources.
func (n Note) markdown() string {
	return fmt.Sprintf("# %s\n\nTags: %s\n\n%s\n", n.Title, strings.Join(n.Tags, ", "), n.Text)
}

// parseNote reads what markdown wrote, and plain Markdown written by hand.
func parseNote(id, raw string) Note {
	n := Note{ID: id, Title: id, Tags: []string{}}
	if title, rest, ok := strings.Cut(raw, "\n"); ok && strings.HasPrefix(title, "# ") {
		n.Title, raw = title[2:], strings.TrimLeft(rest, "\n")
	}
	if line, rest, ok := strings.Cut(raw, "\n"); ok && strings.HasPrefix(line, "Tags:") {
		n.Tags = splitTags(strings.TrimPrefix(line, "Tags:"))
		raw = strings.TrimLeft(rest, "\n")
	}
	n.Text = strings.TrimSuffix(raw, "\n")
	return n
}

func splitTags(list string) []string {
	tags := []string{}
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t != "" && len(tags) < maxTags {
			tags = append(tags, t)
		}
	}
	return tags
}

func validID(id string) bool {
	return len(id) > 0 && len(id) <= 64 && slug(id) == id
}

// freeID is the title as a slug, with a number when that is taken. The caller holds mu.
func (b *notebook) freeID(title string) string {
	base := slug(title)
	for i := 1; ; i++ {
		id := base
		if i > 1 {
			id = fmt.Sprintf("%s-%d", base, i)
		}
		if _, taken := b.notes[id]; !taken {
			return id
		}
	}
}

func slug(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	s := strings.Join(words, "-")
	if len(s) > 48 {
		s = strings.TrimRight(s[:48], "-")
	}
	return cmp.Or(s, "note")
}
