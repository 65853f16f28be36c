package audit

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"durward/internal/audit/merkle"
)

// block is some whole lines of a segment.
type block struct {
	raw    []byte
	offset int64 // in the segment
	lines  []inspected
	ready  chan struct{} // closed when lines are
}

// inspected is a line, and what it says of itself.
type inspected struct {
	line
	start int // in its block
	leaf  tlog.Hash
	err   error
}

// reader reads a segment and inspects its lines before they are asked for, on
// all processors; what it gives is in the order of the file.
type reader struct {
	strict, leaves bool

	queue  chan *block // in the order of the file
	work   chan *block
	idle   chan *block // whose memory may be used again
	stop   chan struct{}
	wg     sync.WaitGroup
	err    error  // of the file; set before queue is closed
	rest   []byte // what follows the last line break; set before queue is closed
	offset int64  // of rest
}

const blockBytes = 256 << 10

func readAhead(f *os.File, strict, leaves bool) *reader {
	workers := min(runtime.GOMAXPROCS(0), 8)
	r := &reader{
		strict: strict, leaves: leaves, stop: make(chan struct{}),
		queue: make(chan *block, 2*workers), work: make(chan *block, 2*workers), idle: make(chan *block, 4*workers),
	}
	r.wg.Go(func() { r.read(f) })
	for range workers {
		r.wg.Go(r.inspect)
	}
	return r
}

// close ends what reads ahead, and waits for it.
func (r *reader) close() {
	close(r.stop)
	r.wg.Wait()
}

// next returns the next block; io.EOF when there are no more whole lines.
func (r *reader) next() (*block, error) {
	b, ok := <-r.queue
	if !ok {
		return nil, r.err
	}
	<-b.ready
	return b, nil
}

// done gives a block back.
func (r *reader) done(b *block) {
	select {
	case r.idle <- b:
	default:
	}
}

func (r *reader) fresh() *block {
	select {
	case b := <-r.idle:
		b.raw, b.lines, b.ready = b.raw[:0], b.lines[:0], make(chan struct{})
		return b
	default:
		return &block{raw: make([]byte, 0, blockBytes+blockBytes/4), ready: make(chan struct{})}
	}
}

// read cuts the file into blocks.
func (r *reader) read(f io.Reader) {
	defer close(r.queue)
	defer close(r.work)
	var rest []byte
	for {
		b := r.fresh()
		b.offset = r.offset
		b.raw = append(b.raw, rest...)
		for {
			have := len(b.raw)
			if have > maxLine {
				r.err, r.rest = errLong, b.raw
				return
			}
			b.raw = append(b.raw, make([]byte, blockBytes)...)
			n, err := io.ReadFull(f, b.raw[have:])
			b.raw = b.raw[:have+n]
			end := bytes.LastIndexByte(b.raw, '\n') + 1
			if last := err != nil; end > 0 || last {
				rest = append(rest[:0], b.raw[end:]...)
				b.raw = b.raw[:end]
				r.offset += int64(end)
				if end > 0 && !r.give(b) {
					return
				}
				if last {
					r.rest, r.err = rest, endOf(err)
					return
				}
				break
			}
		}
	}
}

func endOf(err error) error {
	if err == io.ErrUnexpectedEOF { //nolint:errorlint // as io.ReadFull gives it
		return io.EOF
	}
	return err
}

func (r *reader) give(b *block) bool {
	select {
	case r.queue <- b:
	case <-r.stop:
		return false
	}
	select {
	case r.work <- b:
		return true
	case <-r.stop:
		return false
	}
}

// inspect takes the lines of blocks apart.
func (r *reader) inspect() {
	var buf []byte
	for b := range r.work {
		for start := 0; start < len(b.raw); {
			end := start + bytes.IndexByte(b.raw[start:], '\n')
			in := inspected{start: start}
			raw := b.raw[start:end:end]
			if len(raw) > maxLine {
				in.err = errLong
			} else if in.line, in.err = inspect(raw, r.strict); in.err == nil && r.leaves {
				in.leaf, buf = merkle.Leaf(buf, raw)
			}
			b.lines = append(b.lines, in)
			start = end + 1
		}
		close(b.ready)
	}
}
