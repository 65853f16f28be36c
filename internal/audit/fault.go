package audit

import (
	"fmt"
	"strings"
)

// FaultKind is what was done to a log.
type FaultKind string

// The kinds of faults. A script may rely on them.
const (
	FaultChanged   FaultKind = "changed"         // a line is not what was written
	FaultRemoved   FaultKind = "removed"         // lines are missing
	FaultInserted  FaultKind = "inserted"        // a line does not belong there
	FaultReordered FaultKind = "reordered"       // a line stands where another belongs
	FaultMissing   FaultKind = "missing_segment" // lines are missing between two segments
	FaultTruncated FaultKind = "truncated"       // the log does not reach the head that was expected
	FaultUnsigned  FaultKind = "unsigned"        // a checkpoint is not signed by a key that is trusted
	FaultTree      FaultKind = "tree"            // a tile is not of the tree over the lines
)

// Fault is the first place at which a log is not what was written.
type Fault struct {
	Kind    FaultKind `json:"kind"`
	Segment string    `json:"segment,omitempty"` // file name
	Line    int       `json:"line,omitempty"`    // from 1
	Offset  int64     `json:"offset"`            // in bytes, of the line
	Seq     uint64    `json:"seq"`               // of the record that belongs there
	Detail  string    `json:"detail"`
}

// Error implements error.
func (f *Fault) Error() string {
	var b strings.Builder
	switch {
	case f.Line > 0 && f.Seq == 0:
		fmt.Fprintf(&b, "%s line %d: ", f.Segment, f.Line)
	case f.Line > 0:
		fmt.Fprintf(&b, "%s line %d (byte %d): ", f.Segment, f.Line, f.Offset)
	case f.Segment != "":
		fmt.Fprintf(&b, "%s: ", f.Segment)
	}
	if f.Seq > 0 {
		fmt.Fprintf(&b, "record %d: ", f.Seq)
	}
	fmt.Fprintf(&b, "%s: %s", f.Kind, f.Detail)
	return b.String()
}
