package mcpwire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// Event is one server-sent event.
type Event struct {
	ID    string // "" when the event has none
	Event string // "" means message
	Data  []byte // lines joined by \n; the receiver may keep it
	Retry int    // milliseconds; 0 when absent
}

// ErrEventTooLarge says that an event is larger than the reader allows. The
// stream cannot be read on.
var ErrEventTooLarge = errors.New("server-sent event too large")

// EventReader reads server-sent events (WHATWG HTML, event streams). Unlike a
// browser it also returns an event without data when it has an id or a retry
// time: MCP 2025-11-25 primes streams so. Such data is not JSON; do not parse it.
type EventReader struct {
	r      io.Reader
	buf    []byte
	pos    int  // of the first unread byte
	end    int  // behind the last byte read
	skipLF bool // the last line ended with CR
	begun  bool // the byte order mark is behind us
	max    int
	err    error
}

// The buffer starts small, and is not kept large for a stream that idles
// after one large event.
const (
	firstBuffer = 4 << 10
	keptBuffer  = 64 << 10
)

// NewEventReader reads events of at most maxBytes each from r.
func NewEventReader(r io.Reader, maxBytes int) *EventReader {
	return &EventReader{r: r, buf: make([]byte, firstBuffer), max: maxBytes}
}

// Next returns the next event. At the end of the stream it returns io.EOF; an
// event that was not finished by an empty line is dropped.
func (r *EventReader) Next() (Event, error) {
	var e Event
	var seen, data bool
	size := 0
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if seen {
				return e, nil
			}
			e, size = Event{}, 0
			continue
		}
		if line[0] == ':' {
			continue // a comment, mostly to keep the connection alive
		}
		if size += len(line); size > r.max {
			r.err = ErrEventTooLarge
			return Event{}, r.err
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if data {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
			seen, data = true, true
		case "event":
			e.Event = string(value)
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				e.ID, seen = string(value), true
			}
		case "retry":
			if n, err := strconv.Atoi(string(value)); err == nil && n >= 0 && value[0] != '+' {
				e.Retry, seen = n, true
			}
		}
	}
}

// line returns the next line without its end; it is valid until the next call.
func (r *EventReader) line() ([]byte, error) {
	for from := 0; ; {
		if r.skipLF && r.pos < r.end {
			if r.buf[r.pos] == '\n' {
				r.pos++
			}
			r.skipLF = false
		}
		r.skipMark()
		unread := r.buf[r.pos:r.end]
		if n := lineEnd(unread[min(from, len(unread)):]); n >= 0 {
			n += from
			r.pos += n + 1
			r.skipLF = unread[n] == '\r'
			r.begun = true
			return unread[:n], nil
		}
		from = len(unread)
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// skipMark drops a byte order mark at the start of the stream.
func (r *EventReader) skipMark() {
	const mark = "\ufeff"
	if r.begun || r.end-r.pos < len(mark) {
		return
	}
	r.begun = true
	if string(r.buf[r.pos:r.pos+len(mark)]) == mark {
		r.pos += len(mark)
	}
}

// fill reads more bytes behind those that are unread.
func (r *EventReader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.end-r.pos > r.max+len("data: ") {
		r.err = ErrEventTooLarge
		return r.err
	}
	if r.pos == r.end && len(r.buf) > keptBuffer {
		r.buf, r.pos, r.end = make([]byte, firstBuffer), 0, 0
	}
	if r.pos > 0 {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range 100 {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		if err != nil {
			r.err = err
		}
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.err = io.ErrNoProgress
	return r.err
}

func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n >= 0 {
		b = b[:n]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return n
}

// AppendEvent appends an event as it travels. Line breaks in the data, which
// JSON has only between tokens, become lines of data of their own; in an id or
// a type they are dropped.
func AppendEvent(dst []byte, e Event) []byte {
	if e.ID != "" {
		dst = appendField(dst, "id: ", e.ID)
	}
	if e.Event != "" {
		dst = appendField(dst, "event: ", e.Event)
	}
	if e.Retry > 0 {
		dst = appendField(dst, "retry: ", strconv.Itoa(e.Retry))
	}
	for data := e.Data; ; {
		n := lineEnd(data)
		if n < 0 {
			return append(append(append(dst, "data: "...), data...), "\n\n"...)
		}
		dst = append(append(append(dst, "data: "...), data[:n]...), '\n')
		if data[n] == '\r' && n+1 < len(data) && data[n+1] == '\n' {
			n++
		}
		data = data[n+1:]
	}
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	for i := range len(value) {
		if c := value[i]; c != '\n' && c != '\r' && c != 0 {
			dst = append(dst, c)
		}
	}
	return append(dst, '\n')
}

// KeepAlive is a comment to send on a quiet stream.
const KeepAlive = ":\n\n"
