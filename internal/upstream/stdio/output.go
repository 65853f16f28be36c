package stdio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
)

// readOut hands on the lines of standard output until its end.
func (p *Process) readOut(out io.Reader) {
	r := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := readLine(r, p.cmd.MaxLine)
		switch {
		case errors.Is(err, errOverlong):
			if p.cmd.Overlong != nil {
				p.cmd.Overlong()
			}
		case err != nil:
			return
		case len(line) > 0:
			p.cmd.Line(line)
		}
	}
}

var errOverlong = errors.New("line over the limit")

// readLine returns one line as bytes of its own, without end of line and
// surrounding blanks. A line over the limit is read to its end and dropped.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	part, err := r.ReadSlice('\n')
	if err == nil {
		if len(part) > limit+1 {
			return nil, errOverlong
		}
		return bytes.Clone(bytes.TrimSpace(part)), nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return lastLine(part, err)
	}
	line := bytes.Clone(part)
	for {
		part, err = r.ReadSlice('\n')
		if len(line) <= limit {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err // half a message is none
		}
		if len(line) > limit+1 {
			return nil, errOverlong
		}
		return bytes.TrimSpace(line), nil
	}
}

// lastLine is a line that the end of the stream ended. Whoever reads it knows
// whether it is whole.
func lastLine(part []byte, err error) ([]byte, error) {
	if part = bytes.TrimSpace(part); len(part) > 0 && errors.Is(err, io.EOF) {
		return bytes.Clone(part), nil
	}
	return nil, err
}

// Bounds of what a server's standard error puts into the log.
const (
	errLineBytes = 4 << 10
	errBurst     = 200 // lines at once,
	errPerSecond = 50  // and then this many a second
)

// readErr copies standard error to the log, a line at a time, and to hear. It never stops
// reading: a server that cannot write its complaints hangs.
func readErr(f *os.File, log *slog.Logger, hear func(line string)) {
	r := bufio.NewReaderSize(f, errLineBytes)
	tokens, last, muted := float64(errBurst), time.Now(), 0
	for {
		line, err := r.ReadSlice('\n')
		if text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD")); text != "" {
			hear(text)
			now := time.Now()
			tokens, last = min(errBurst, tokens+now.Sub(last).Seconds()*errPerSecond), now
			if tokens < 1 {
				muted++
			} else {
				tokens--
				if muted > 0 {
					log.Warn("upstream stderr muted", "lines", muted)
					muted = 0
				}
				log.Info("upstream stderr", "line", text)
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			_, err = r.ReadSlice('\n')
		}
		if err != nil {
			break
		}
	}
	if muted > 0 {
		log.Warn("upstream stderr muted", "lines", muted)
	}
}
