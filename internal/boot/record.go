package boot

import (
	"context"
	"io"
	"iter"

	"durward/internal/audit"
	"durward/internal/audit/merkle"
	"durward/internal/audit/ship"
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

// RecordFormats are the formats of an export.
func RecordFormats() []string { return []string{ship.JSONL, ship.OCSF, ship.CEF} }

// ExportRecord writes records as lines in a format, oldest first. open opens
// what is sealed in a line; nil leaves the lines as they stand in the log.
func ExportRecord(ctx context.Context, dir string, f RecordFilter, format string, open func([]byte) []byte, w io.Writer) error {
	return audit.ExportAs(ctx, dir, f, w, func(dst []byte, e RecordEntry) ([]byte, error) {
		if open != nil {
			e.JSON = open(e.JSON)
		}
		return ship.Append(dst, format, e)
	})
}

// TailRecord gives the last n records, and with follow each further one until ctx ends.
func TailRecord(ctx context.Context, dir string, n int, follow bool, f RecordFilter) iter.Seq2[RecordEntry, error] {
	return audit.Tail(ctx, dir, audit.TailOptions{N: n, Follow: follow, Filter: f})
}

// SearchRecord gives the records that a filter takes, oldest first; with a
// limit the newest of them.
func SearchRecord(ctx context.Context, dir string, f RecordFilter, limit int) iter.Seq2[RecordEntry, error] {
	return audit.Search(ctx, dir, audit.Query{Filter: f, Limit: limit})
}

// IndexRecord makes the index of the record, and says of how many segments.
func IndexRecord(ctx context.Context, dir string, rebuild bool) (int, error) {
	return audit.Index(ctx, dir, rebuild)
}

// RecordExpectation is what a record must contain besides being whole.
type RecordExpectation = audit.VerifyOptions

// VerifyRecord recomputes the chain and the tree of the record.
func VerifyRecord(ctx context.Context, dir string, o RecordExpectation) (RecordReport, error) {
	return audit.Verify(ctx, dir, o)
}

// What the CLI says about proofs.
type (
	// Proof is a proof that needs nothing else but a trusted key.
	Proof = merkle.Proof
	// Proved is what a proof shows.
	Proved = merkle.Checked
	// SignedCheckpoint is a checkpoint with the time at which it was signed.
	SignedCheckpoint = audit.HistoryEntry
	// RecordKeyEntry is one of the keys that signed the record.
	RecordKeyEntry = merkle.KeyEntry
)

// Errors of proofs.
var (
	ErrNoRecord   = audit.ErrNoRecord
	ErrNotCovered = audit.ErrNotCovered
)

// ProveRecord proves that a record, by its id or number, is in the log.
func ProveRecord(ctx context.Context, dir, which string) (*Proof, error) {
	return audit.Prove(ctx, dir, which)
}

// ProveConsistency proves that one checkpoint's log is another's with more behind it.
func ProveConsistency(dir string, old, signed []byte) (*Proof, error) {
	return audit.ProveConsistency(dir, old, signed)
}

// RecordCheckpoints lists the checkpoints, the oldest first.
func RecordCheckpoints(dir string) ([]SignedCheckpoint, error) { return audit.History(dir) }

// CheckpointAt is the checkpoint over so many records.
func CheckpointAt(dir string, size int64) ([]byte, error) { return audit.CheckpointAt(dir, size) }

// ReadCheckpoints splits a file into signed checkpoints.
func ReadCheckpoints(b []byte) ([][]byte, error) { return audit.ReadCheckpoints(b) }

// RecordKeys lists the keys that signed the record, the oldest first.
func RecordKeys(dir string) ([]RecordKeyEntry, error) { return audit.ReadKeys(dir) }

// CheckRecordKey and CheckWitnessKey say with an error why a text is no public
// key of a record, or of a witness.
func CheckRecordKey(s string) error { return merkle.CheckKey(s) }

// CheckWitnessKey is CheckRecordKey for witnesses.
func CheckWitnessKey(s string) error {
	_, err := merkle.NewWitness(s)
	return err
}

// IsRecordKey tells a key from the name of a file.
func IsRecordKey(s string) bool { return merkle.LooksLikeKey(s) }
