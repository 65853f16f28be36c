package audit

// Reader reads a log on and on, from some record: it remembers its place.
type Reader struct {
	dir   string
	at    follower
	after uint64
	begun bool
}

// NewReader begins behind the record after.
func NewReader(dir string, after uint64) *Reader { return &Reader{dir: dir, after: after} }

// Read gives the records up to the record until, which must be safe, and at
// most n lines. It returns the place that it has come to. Intents are left out.
func (r *Reader) Read(until uint64, n int, each func(Entry) error) (uint64, error) {
	if !r.begun {
		segments, err := listSegments(r.dir)
		if err != nil || len(segments) == 0 {
			return r.after, err
		}
		r.at.begin(segments, r.after+1)
		r.begun = true
	}
	from := max(r.after, r.at.seq)
	until = min(until, from+uint64(n))
	if until <= r.after {
		return r.after, nil
	}
	err := r.at.follow(r.dir, until, func(l line) error {
		if l.seq <= r.after || l.isIntent() {
			return nil
		}
		return each(Entry{l.seq, l.raw})
	})
	if err != nil {
		r.begun = false // whatever it was, it begins anew
		return r.after, err
	}
	r.after = max(r.after, r.at.seq)
	return r.after, nil
}
