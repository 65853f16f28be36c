// Package merkle is the transparency log over the lines of the record: a
// Merkle tree (RFC 6962, golang.org/x/mod/sumdb/tlog) in tiles, with signed
// checkpoints.
//
// Tiles and checkpoints are those of C2SP tlog-tiles and tlog-checkpoint: tiles
// of height 8 under tile/L/N, checkpoints as signed notes. There are no entry
// bundles: an entry is a line of a segment, which may be longer than a bundle
// can hold, and would be there twice.
//
// It promises that what a checkpoint covers can be neither changed nor cut off
// without being found by those who have the public key and a checkpoint. It
// knows nothing of records but their bytes, and does not read segments.
package merkle
