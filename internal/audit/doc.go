// Package audit is the durable record: one line per call, refusals included,
// in append-only files whose lines are chained by hash.
//
// # Promises
//
// A record that [Log.Append] acknowledged as Durable or Written is in the log,
// whatever kills the process; a Durable one also survives the loss of power.
// Records are never dropped: queues are bounded and block. A log that cannot be
// written is sick: it refuses what must be recorded, says why in [Log.Ready],
// and tries to recover. A record that Append refused may still be in the log;
// one that it acknowledged always is.
//
// # On disk
//
// A folder holds segments named by the sequence number of their first record
// (00000000000000000001.jsonl), and each line is one record:
//
//	{"seq":7,"time":"...","id":"...",...,"revision":3,"prev":"<hex>","hash":"<hex>"}
//
// hash is the SHA-256 of the bytes of the line before `,"hash":`; prev is the
// hash of the line before, across segments, and 64 zeros in the first line of
// all. Sequence numbers start at 1 and have no gaps. So each line tells by
// itself whether it was changed, and each link whether lines were removed,
// inserted or moved. That somebody cut off the end shows only to those who
// remember a later hash ([VerifyOptions]).
//
// The file "lock" keeps two gateways apart, "*.torn" keeps the half-written
// ends that a crash left. Anything else in the folder is ignored, so that a
// Merkle tree over the lines (record seq is leaf seq-1), its tiles and its
// signed checkpoints can be laid beside the segments without touching them.
//
// The hash chain is not signed: who can write the folder can rewrite all of it
// from some line on. Against that, keep the head elsewhere.
//
// # What it does not do
//
// It does not decide what is recorded (pipeline does), does not search by
// index, and removes nothing: retention is the operator's.
package audit
