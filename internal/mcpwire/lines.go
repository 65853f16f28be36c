package mcpwire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrLineTooLong says that a line was longer than the reader allows. It was
// skipped to its end; the next line can be read.
var ErrLineTooLong = errors.New("line too long")

// LineReader reads the messages of a stdio peer: one a line.
type LineReader struct {
	r   *bufio.Reader
	max int
}

// NewLineReader reads lines of at most maxBytes each from r.
func NewLineReader(r io.Reader, maxBytes int) *LineReader {
	return &LineReader{r: bufio.NewReaderSize(r, 16<<10), max: maxBytes}
}

// Next returns the next line that is not empty, without its end. The caller
// may keep it. A last line without an end counts. Then comes io.EOF.
func (l *LineReader) Next() ([]byte, error) {
	for {
		line, err := l.line()
		if line = trim(line); len(line) > 0 || err != nil {
			return line, err
		}
	}
}

func (l *LineReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(bytes.TrimRight(part, "\r\n")) > l.max {
			return nil, l.skip(err)
		}
		line = append(line, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// skip reads to the end of a line that is too long.
func (l *LineReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return ErrLineTooLong
}
