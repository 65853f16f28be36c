package merkle

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a tree with the name of its log (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	tlog.Tree
}

// Text is what is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.N, base64.StdEncoding.EncodeToString(c.Hash[:]))
}

// Sign makes the signed note of a checkpoint.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.Text()}, signers...)
}

var errCheckpoint = errors.New("it is no checkpoint")

// parseCheckpoint reads the text of a note; lines behind the third are extensions.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errCheckpoint
	}
	c := Checkpoint{Origin: lines[0]}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != lines[1] {
		return c, errCheckpoint
	}
	h, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(h) != tlog.HashSize {
		return c, errCheckpoint
	}
	c.N, c.Hash = n, tlog.Hash(h)
	return c, nil
}

// Read takes a signed checkpoint apart without checking who signed it.
func Read(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, errCheckpoint
	}
	return parseCheckpoint(text + "\n")
}

// Open checks that a signed checkpoint was signed by a key that is trusted for
// its size.
func (t *Trust) Open(signed []byte) (Checkpoint, error) {
	unchecked, err := Read(signed)
	if err != nil {
		return unchecked, err
	}
	n, err := note.Open(signed, t.at(unchecked.N))
	var nobody *note.UnverifiedNoteError
	if errors.As(err, &nobody) {
		return unchecked, fmt.Errorf("%w (size %d)", ErrUnsigned, unchecked.N)
	}
	if err != nil {
		return unchecked, err
	}
	return parseCheckpoint(n.Text)
}

// ErrUnsigned says that no trusted key signed.
var ErrUnsigned = errors.New("it is not signed by a key that is trusted for it")
