package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// VerifyOptions say what the log must contain besides being whole.
type VerifyOptions struct {
	// Head is the hash of a record that was seen earlier, in hex. The log must
	// contain it: so a log that was cut off, or written anew, is found out.
	Head string
	// After is the record behind which the log begins, for a log whose older
	// segments were put elsewhere. Zero means that the log must be complete.
	After Head
	// Keys are public keys that are trusted. Without one the keys that lie
	// beside the log are believed, which shows damage but not a forger.
	Keys []string
	// Checkpoints are signed checkpoints that were seen elsewhere: the log must
	// hold all that they cover.
	Checkpoints [][]byte
}

// Report is what Verify saw, up to the first fault.
type Report struct {
	Segments  int       `json:"segments"`
	Records   uint64    `json:"records"`
	FirstSeq  uint64    `json:"first_seq"`
	FirstTime time.Time `json:"first_time,omitzero"`
	LastSeq   uint64    `json:"last_seq"`
	LastTime  time.Time `json:"last_time,omitzero"`
	// Head is the hash of the last record, HeadSeq the record that the expected head belongs to.
	Head    string `json:"head"`
	HeadSeq uint64 `json:"head_seq,omitempty"`
	// Back is by how much, at most, a call ended before one began that stands
	// before it: a clock that was set back. The order of the log is that of Seq.
	Back time.Duration `json:"back_ns,omitempty"`
	Torn *Torn         `json:"torn,omitempty"`
	Tree *TreeReport   `json:"tree,omitempty"`
	// Missing are files of the seal that are not there although others are;
	// Foreign is what lies in the folder and is nothing of the log's.
	Missing []string `json:"missing,omitempty"`
	Foreign []string `json:"foreign,omitempty"`
	Fault   *Fault   `json:"fault,omitempty"`
}

// Verify recomputes the chain over all segments in dir, which a gateway may be
// writing. A log that is not what was written is an error that is a [*Fault];
// other errors mean that it could not be read. A half-written end is no fault.
func Verify(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	v := verification{want: strings.ToLower(o.Head)}
	if !isHash(o.Head) || !isHash(o.After.Hash) || (o.After.Seq > 0) != (o.After.Hash != "") {
		return v.Report, errors.New("verify the record: an expected head is not a SHA-256 in hex")
	}
	tree, err := openTree(dir, o) // before the lines, which may grow meanwhile
	if err == nil {
		v.Missing, v.Foreign, err = inventory(dir, tree != nil && tree.size > 0)
	}
	if err == nil {
		v.segments, err = listSegments(dir)
	}
	if errors.As(err, &v.Fault) {
		return v.Report, err
	}
	if err != nil {
		return v.Report, fmt.Errorf("verify the record: %w", err)
	}
	v.segments = withoutEmptyEnd(dir, v.segments)
	v.Segments = len(v.segments)
	c := &chain{dir: dir, segments: v.segments, strict: true, prev: genesis(), visit: v.see}
	if o.After.Seq > 0 {
		c.seq, c.prev = o.After.Seq, link([]byte(strings.ToLower(o.After.Hash)))
	}
	v.origin = c.prev
	if tree != nil {
		v.Tree = &tree.TreeReport
		err = tree.watch(c)
	}
	if err == nil {
		err = c.followAll(ctx)
	}
	if err == nil && tree != nil {
		err = tree.conclude(c.seq)
	}
	v.conclude(c)
	if err == nil && !v.found {
		err = &Fault{Kind: FaultTruncated, Seq: c.seq + 1, Detail: "the log does not contain the head that it had: its end was cut off, or it was written anew"}
	}
	if errors.As(err, &v.Fault) {
		return v.Report, err
	}
	if err != nil {
		return v.Report, fmt.Errorf("verify the record: %w", err)
	}
	return v.Report, nil
}

// verification gathers the report.
type verification struct {
	Report
	want   string // the expected head; "" for none
	found  bool
	newest [timeLen]byte // the latest time, as written
	last   [timeLen]byte
	origin link // what the first record continues

	segments []segment
}

func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s)%len(link{}) == 0 && len(s) <= len(link{})
}

func (v *verification) see(l line) {
	if v.Records == 0 {
		v.FirstSeq, v.FirstTime = l.seq, when(l.time)
	}
	v.Records++
	v.last = [timeLen]byte(l.time)
	if v.want != "" && !v.found && v.want == string(l.hash) {
		v.found, v.HeadSeq = true, l.seq
	}
	if bytes.Compare(l.time, v.newest[:]) >= 0 {
		v.newest = v.last
		return
	}
	v.Back = max(v.Back, when(v.newest[:]).Sub(when(l.time).Add(l.latency())))
}

func (v *verification) conclude(c *chain) {
	v.LastSeq, v.Head, v.Torn = c.seq, string(c.prev[:]), c.torn
	v.found = v.found || v.want == "" || v.want == string(v.origin[:])
	if v.Records > 0 {
		v.LastTime = when(v.last[:])
	}
}
