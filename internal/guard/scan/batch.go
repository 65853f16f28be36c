package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"durward/internal/guard"
)

// A batch is bounded by lines and by bytes; one line may be longer.
const (
	batchLines = 256
	batchBytes = 1 << 20
)

// batch is the lines that are judged beside each other.
type batch struct {
	lines []batchLine
	next  int // number of the line that is read next
	arena []byte
}

type batchLine struct {
	number  int
	raw     []byte
	long    bool
	result  *Result
	failure *Failure
}

// read takes lines until none is at hand, or the batch is full.
func (b *batch) read(r *bufio.Reader) error {
	b.lines, b.arena = b.lines[:0], b.arena[:0]
	if cap(b.arena) > 2*batchBytes {
		b.arena = nil
	}
	type span struct{ from, to int }
	var spans [batchLines]span
	var err error
	for n := 0; n < batchLines && len(b.arena) < batchBytes; n++ {
		from := len(b.arena)
		b.arena, err = readLine(r, b.arena)
		l := batchLine{number: b.next, long: errors.Is(err, errLong)}
		if l.long {
			err = skipLine(r)
		}
		spans[n] = span{from, len(b.arena)}
		b.lines = append(b.lines, l)
		b.next++
		if err != nil || !atHand(r) {
			break
		}
	}
	for i := range b.lines { // only now: the arena moved while it grew
		raw := b.arena[spans[i].from:spans[i].to:spans[i].to]
		if b.lines[i].number == 1 {
			raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		}
		b.lines[i].raw = bytes.TrimSpace(raw)
	}
	return err
}

// atHand tells whether a whole line can be read without waiting.
func atHand(r *bufio.Reader) bool {
	ready, _ := r.Peek(r.Buffered())
	return bytes.IndexByte(ready, '\n') >= 0
}

// judge judges the lines, on all processors.
func (b *batch) judge(e *guard.Engine, source string) {
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(b.lines) {
				return
			}
			b.lines[i].judge(e, source)
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(b.lines)) - 1 {
		group.Go(work)
	}
	work()
	group.Wait()
}

func (l *batchLine) judge(e *guard.Engine, source string) {
	if len(l.raw) == 0 {
		return
	}
	fail := func(id json.RawMessage, why string) {
		l.failure = &Failure{ID: id, Error: why, Source: source, Line: l.number}
	}
	if l.long {
		fail(idOf(l.raw), errLong.Error())
		return
	}
	if err := twice(l.raw); err != nil {
		fail(idOf(l.raw), err.Error()+": two readers see two things")
		return
	}
	var in Line
	if err := json.Unmarshal(l.raw, &in); err != nil {
		if len(in.ID) == 0 {
			in.ID = idOf(l.raw)
		}
		fail(in.ID, "not a line of this format: "+err.Error())
		return
	}
	v, err := One(e, &in)
	if err != nil {
		fail(in.ID, err.Error())
		return
	}
	l.result = &Result{Source: source, Line: l.number, Part: idText(in.ID), Verdict: v, raw: in.inspected(l.raw)}
}
