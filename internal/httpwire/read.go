package httpwire

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLarge says that a body is longer than its reader allows.
var ErrTooLarge = errors.New("body over the limit")

// ReadAll reads the whole body, up to limit bytes, and closes it. The
// announced length saves copies and is never trusted: memory is taken as
// bytes arrive.
func (r *Response) ReadAll(limit int64) ([]byte, error) {
	defer r.Body.Close()
	if r.ContentLength > limit {
		return nil, ErrTooLarge
	}
	var buf bytes.Buffer
	// One byte more than announced, so that the end is seen without growing.
	buf.Grow(int(min(max(r.ContentLength, 511)+1, 64<<10)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case n > limit:
		return nil, ErrTooLarge
	case err != nil:
		return nil, err
	}
	return buf.Bytes(), nil
}

// Discard reads what little may be left of a body, so that the connection can
// be used again, and closes it.
func (r *Response) Discard() {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	_ = r.Body.Close()
}
