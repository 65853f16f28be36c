package audit

import (
	"bytes"
	"errors"
	"io"
)

// errLong says that a line is longer than any that we write.
var errLong = errors.New("it is longer than any line of this log")

// lines reads complete lines from a file that may grow meanwhile, with bounded
// memory. After io.EOF it may be asked again.
type lines struct {
	r          io.Reader
	buf        []byte
	start, end int   // of what is read and not yet returned
	looked     int   // up to where buf holds no line break
	offset     int64 // in the file, of start
}

func newLines(r io.Reader, offset int64) *lines {
	return &lines{r: r, offset: offset, buf: make([]byte, 64<<10)}
}

// next returns the next complete line without its line break. It is valid
// until the following call.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.looked:l.end], '\n'); i >= 0 {
			raw := l.buf[l.start : l.looked+i : l.looked+i]
			l.offset += int64(len(raw)) + 1
			l.start = l.looked + i + 1
			l.looked = l.start
			return raw, nil
		}
		l.looked = l.end
		if l.end-l.start > maxLine {
			return nil, errLong
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

func (l *lines) fill() error {
	if l.start > 0 {
		copy(l.buf, l.buf[l.start:l.end])
		l.end, l.looked, l.start = l.end-l.start, l.looked-l.start, 0
	}
	if l.end == len(l.buf) {
		l.buf = append(l.buf, make([]byte, len(l.buf))...)
	}
	n, err := l.r.Read(l.buf[l.end:])
	l.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
