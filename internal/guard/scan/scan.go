// Package scan runs the guard's detectors offline: over lines of JSON that
// describe definitions, redefinitions, shadowing, results, arguments and
// sessions, over files as people have them, and over what a server lists. It
// hands each verdict to a [Sink], which writes it for programs or for people.
//
// Lines are independent of each other; one that cannot be read is reported and
// the rest goes on. However long the input, no more than a batch of it is held.
// What is written for people holds no secret that was found, and no character
// that hides.
package scan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"durward"
	"durward/internal/guard"
)

// Verdict is what is said of one thing.
type Verdict struct {
	ID       json.RawMessage   `json:"id"`
	Verdict  string            `json:"verdict"`
	Score    float64           `json:"score"`
	Changed  bool              `json:"changed"`
	Step     int               `json:"step"`
	Redacted *string           `json:"redacted,omitempty"`
	Findings []durward.Finding `json:"findings"`
}

func (v *Verdict) stops() bool { return v.Verdict == "hold" || v.Verdict == "block" }

// Result is a verdict with what people call the thing: a file and line, a
// server and tool.
type Result struct {
	Source  string // a file, a server
	Line    int    // of the source; 0 when it has none
	Part    string // a tool, an id; "" for the whole
	Verdict *Verdict

	raw []byte // what was inspected
	doc []byte // the file that it is a part of; nil when it is part of none
}

// Name is what people call the thing.
func (r *Result) Name() string { return nameOf(r.Source, r.Line, r.Part) }

func nameOf(source string, line int, part string) string {
	if line > 0 {
		source = fmt.Sprintf("%s:%d", source, line)
	}
	if part == "" {
		return source
	}
	return source + " " + part
}

// Failure is said of what could not be read.
type Failure struct {
	ID    json.RawMessage `json:"id"`
	Error string          `json:"error"`

	Source string `json:"-"`
	Line   int    `json:"-"`
}

// Sink takes what a scan says, in the order of what was read. Flush is called
// when nothing more is there for the moment, Close once at the end.
type Sink interface {
	Verdict(r *Result) error
	Failure(f *Failure) error
	Flush() error
	Close() error
}

// Totals count what came of a scan.
type Totals struct {
	Inspected, Failed, Stopped int // Stopped were held or blocked
	Flagged, Redacted, Blocked int
}

// Levels are the verdicts from which a scan may be called failed, mildest first.
func Levels() []string { return []string{"flag", "redact", "hold", "block"} }

// From counts what got a verdict of a level or a stricter one.
func (t Totals) From(level string) int {
	switch level {
	case "flag":
		return t.Flagged + t.Redacted + t.Stopped
	case "redact":
		return t.Redacted + t.Stopped
	case "hold":
		return t.Stopped
	}
	return t.Blocked
}

// Scanner inspects one thing after another.
type Scanner struct {
	engine *guard.Engine
	sink   Sink
	totals Totals
	doc    []byte // the file that is being scanned, while it is
}

// New returns a scanner that says to the sink what it sees.
func New(e *guard.Engine, to Sink) *Scanner { return &Scanner{engine: e, sink: to} }

// Totals counts what was scanned so far.
func (s *Scanner) Totals() Totals { return s.totals }

func (s *Scanner) say(r *Result) error {
	s.totals.Inspected++
	r.doc = s.doc
	switch r.Verdict.Verdict {
	case "flag":
		s.totals.Flagged++
	case "redact":
		s.totals.Redacted++
	case "block":
		s.totals.Blocked++
	}
	if r.Verdict.stops() {
		s.totals.Stopped++
	}
	if err := s.sink.Verdict(r); err != nil {
		return fmt.Errorf("write verdict: %w", err)
	}
	return nil
}

// Fail reports what could not be read; the scan may go on.
func (s *Scanner) Fail(f *Failure) error {
	s.totals.Failed++
	f.ID = orNull(f.ID)
	if err := s.sink.Failure(f); err != nil {
		return fmt.Errorf("write verdict: %w", err)
	}
	return nil
}

// LongestLine bounds a line of input; a longer one is reported and passed over.
const LongestLine = 4 << 20

var errLong = fmt.Errorf("longer than %d bytes", LongestLine)

// Lines scans JSON lines, each on its own: as many at a time as there are
// processors, and as many as are at hand. Verdicts leave in the order of the
// lines, and before it waits for more input. An error is of reading or writing.
func (s *Scanner) Lines(source string, in io.Reader) error {
	r, ok := in.(*bufio.Reader)
	if !ok {
		r = bufio.NewReaderSize(in, 1<<18)
	}
	for b := (batch{next: 1}); ; {
		err := b.read(r)
		b.judge(s.engine, source)
		for i := range b.lines {
			if said := s.deliver(&b.lines[i]); said != nil {
				return said
			}
		}
		if err == nil && atHand(r) {
			continue
		}
		if said := s.sink.Flush(); said != nil {
			return fmt.Errorf("write verdicts: %w", said)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read line %d: %w", b.next-1, err)
		}
	}
}

func (s *Scanner) deliver(l *batchLine) error {
	switch {
	case l.failure != nil:
		return s.Fail(l.failure)
	case l.result != nil:
		return s.say(l.result)
	}
	return nil
}

// readLine appends a line, or as much of it as is allowed and errLong.
func readLine(r *bufio.Reader, line []byte) ([]byte, error) {
	for from := len(line); ; {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line)-from > LongestLine+2 { // with its end
			return line, errLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// skipLine reads on to the end of a line, unless it was reached.
func skipLine(r *bufio.Reader) error {
	if r.UnreadByte() == nil {
		if c, _ := r.ReadByte(); c == '\n' {
			return nil
		}
	}
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
