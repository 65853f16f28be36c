package mcpwire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// LineTooLong says that a line was longer than the reader allows. It was
// skipped to its end; the next line can be read.
type LineTooLong struct {
	Most int    // bytes that a line may have
	ID   []byte // raw id of the message that it seems to have been, so that its sender need not wait; nil when it was not found
}

// Error implements error.
func (e *LineTooLong) Error() string { return fmt.Sprintf("line longer than %d bytes", e.Most) }

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
			return nil, l.skip(append(line, part...), err)
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

// skip reads to the end of a line that is too long; start is what was read.
func (l *LineReader) skip(start []byte, err error) error {
	end := bytes.Clone(lastOf(start))
	for errors.Is(err, bufio.ErrBufferFull) {
		var part []byte
		part, err = l.r.ReadSlice('\n')
		end = lastOf(append(end, part...))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return &LineTooLong{Most: l.max, ID: idOfStart(start, idOfEnd(end))}
}

// lineEnding is how much of the end of a line is looked at for an id.
const lineEnding = 512

func lastOf(b []byte) []byte { return b[max(0, len(b)-lineEnding):] }

// idOfStart returns the id of the message that begins with start, or otherwise.
func idOfStart(start, otherwise []byte) []byte {
	for m := range members(start) {
		if m.value.End == len(start) { // cut off
			break
		}
		if isRawText(m.rawKey(start), "id") {
			return idOrNil(m.of(start))
		}
	}
	return otherwise
}

// An id at the end of a line belongs to the message itself and to nothing in
// it, because the one brace that follows closes the message.
var endsWithID = regexp.MustCompile(`[{,]\s*"id"\s*:\s*(-?\d{1,19}|"[^"\\]{0,256}")\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$`)

func idOfEnd(end []byte) []byte {
	if m := endsWithID.FindSubmatch(end); m != nil {
		return idOrNil(m[1])
	}
	return nil
}

func idOrNil(raw []byte) []byte {
	if Value(raw, Limits{}) != nil || len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return nil
	}
	return bytes.Clone(raw)
}
