package merkle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// algCosignature is the type of keys that sign cosignature/v1 (C2SP tlog-cosignature).
const algCosignature = 4

// Witness is the public key of a witness.
type Witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// NewWitness reads the verifier key of a witness.
func NewWitness(vkey string) (*Witness, error) {
	name, rest, ok := strings.Cut(vkey, "+")
	hash, encoded, ok2 := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	id, err2 := strconv.ParseUint(hash, 16, 32)
	if !ok || !ok2 || err != nil || err2 != nil || name == "" || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return nil, errors.New("it has to be name+hash+base64, of type 4 (cosignature/v1)")
	}
	w := &Witness{name: name, hash: uint32(id), key: raw[1:]}
	if w.hash != keyHash(name, raw) {
		return nil, errors.New("the hash in it is not that of its key: part of it may be missing")
	}
	return w, nil
}

func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name, KeyHash and Verify make Witness a note.Verifier.
func (w *Witness) Name() string { return w.name }

// KeyHash is the short form of the key in a signature.
func (w *Witness) KeyHash() uint32 { return w.hash }

// Verify checks a cosignature over the text of a checkpoint.
func (w *Witness) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(w.key, cosigned(binary.BigEndian.Uint64(sig), text), sig[8:])
}

func cosigned(when uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", when), text...)
}

// Cosign is what a witness does with a checkpoint; it is for tests, which need one.
func Cosign(name string, key ed25519.PrivateKey, when uint64, text []byte) (line string, vkey string) {
	public := append([]byte{algCosignature}, key.Public().(ed25519.PublicKey)...)
	hash := keyHash(name, public)
	sig := binary.BigEndian.AppendUint32(nil, hash)
	sig = binary.BigEndian.AppendUint64(sig, when)
	sig = append(sig, ed25519.Sign(key, cosigned(when, text))...)
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(sig)),
		fmt.Sprintf("%s+%08x+%s", name, hash, base64.StdEncoding.EncodeToString(public))
}

// Request is the body of add-checkpoint (C2SP tlog-witness): the size that the
// witness has seen, the proof that the tree only grew, the checkpoint.
func (t Tiles) Request(old int64, signed []byte) ([]byte, error) {
	c, err := Read(signed)
	if err != nil {
		return nil, err
	}
	if old > c.N {
		return nil, fmt.Errorf("the witness has seen %d records, the log has %d", old, c.N)
	}
	body := fmt.Appendf(nil, "old %d\n", old)
	if old > 0 && old < c.N {
		p, err := tlog.ProveTree(c.N, old, t.Reader(c.Tree))
		if err != nil {
			return nil, err
		}
		for _, h := range p {
			body = append(body, h.String()...)
			body = append(body, '\n')
		}
	}
	return append(append(body, '\n'), signed...), nil
}

// AddSignatures adds the lines that a witness answered to a checkpoint, after
// checking that its signature is among them.
func (w *Witness) AddSignatures(signed, lines []byte) ([]byte, error) {
	if !bytes.HasSuffix(lines, []byte("\n")) || len(lines) > 16<<10 {
		return nil, errors.New("the witness did not answer with signatures")
	}
	more := append(bytes.Clone(signed), lines...)
	return more, w.Signed(more)
}

// Signed says with an error that the witness did not sign a checkpoint.
func (w *Witness) Signed(signed []byte) error {
	if _, err := note.Open(signed, note.VerifierList(w)); err != nil {
		return fmt.Errorf("the checkpoint is not signed by the witness %s: %w", w.name, err)
	}
	return nil
}
