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
// ends that a crash left.
//
// # Proof
//
// The line of the record seq is leaf seq-1 of a Merkle tree ([merkle]), whose
// tiles and signed checkpoints lie beside the segments. A [Sealer] makes it,
// behind the writer and only of what is safe; [Verify] holds the lines against
// it, and [Prove] proves one of them. The hash chain alone is not signed: who
// can write the folder can write all of it anew from some line on. Against
// somebody who has the key, too, publish checkpoints elsewhere.
//
// # Intents
//
// [Log.Begin] announces a call by a line that has "intent" where a record has
// "id". It is no record: readers leave it out unless [Filter.All] asks for it.
// A call that was announced and has no record gets one at the next start.
//
// # What it does not do
//
// It does not decide what is recorded (pipeline does) nor when records are too
// old: [Expired] says what may go, its caller whether it does.
package audit
