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
	b, _, err := r.Borrow(limit, "")
	return b, err
}

// Borrow is ReadAll into memory that can be given back, of owner. A loan tells
// also that nothing refers to the body of the request any more; there is none
// where that is not sure.
func (r *Response) Borrow(limit int64, owner string) ([]byte, *Loan, error) {
	defer r.Body.Close()
	if r.ContentLength > limit {
		return nil, nil, ErrTooLarge
	}
	if r.ContentLength >= 0 && r.ContentLength <= trusted {
		if !r.settled {
			owner = ""
		}
		b, loan := spares.lend(owner, int(r.ContentLength))
		if err := r.readKnown(b); err != nil {
			return nil, nil, err
		}
		return b, loan, nil
	}
	b, err := r.readUnknown(limit)
	return b, nil, err
}

func (r *Response) readUnknown(limit int64) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(64 << 10)
	n, err := buf.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case n > limit:
		return nil, ErrTooLarge
	case err != nil:
		return nil, err
	}
	return buf.Bytes(), nil
}

// trusted is the announced length up to which memory is taken at once.
const trusted = 1 << 20

// readKnown reads a body of announced length into b, and its end.
func (r *Response) readKnown(b []byte) error {
	if _, err := io.ReadFull(r.Body, b); err != nil {
		return err
	}
	var more [1]byte
	if n, err := r.Body.Read(more[:]); n > 0 || err != io.EOF { // the end gives the connection back
		return errors.Join(errors.New("the body does not end where it said"), err)
	}
	return nil
}

// Discard reads what little may be left of a body, so that the connection can
// be used again, and closes it.
func (r *Response) Discard() {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	_ = r.Body.Close()
}
