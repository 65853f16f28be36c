package boot

import (
	"context"
	"io"
	"iter"

	"durward/internal/audit"
)

// What the CLI says about the record, in the words of audit. The record can be
// read, followed and verified with or without a gateway that writes it.
type (
	// RecordFilter chooses records.
	RecordFilter = audit.Filter
	// RecordEntry is one line of the record.
	RecordEntry = audit.Entry
	// RecordReport is what verification saw.
	RecordReport = audit.Report
	// RecordFault is the first place at which the record is not what was written.
	RecordFault = audit.Fault
)

// ExportRecord writes records as JSON lines, oldest first.
func ExportRecord(ctx context.Context, dir string, f RecordFilter, w io.Writer) error {
	return audit.Export(ctx, dir, f, w)
}

// TailRecord gives the last n records, and with follow each further one until ctx ends.
func TailRecord(ctx context.Context, dir string, n int, follow bool, f RecordFilter) iter.Seq2[RecordEntry, error] {
	return audit.Tail(ctx, dir, audit.TailOptions{N: n, Follow: follow, Filter: f})
}

// VerifyRecord recomputes the chain of the record. Head, when it is given, is a
// hash that the record must contain.
func VerifyRecord(ctx context.Context, dir, head string) (RecordReport, error) {
	return audit.Verify(ctx, dir, audit.VerifyOptions{Head: head})
}
