package merkle

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// The kinds of proofs.
const (
	KindInclusion   = "durward/inclusion/v1"
	KindConsistency = "durward/consistency/v1"
)

// Proof is a proof that needs nothing else but a trusted key. Inclusion: Entry
// is leaf Index of the tree of Checkpoint. Consistency: the tree of Checkpoint
// is that of Old with entries behind it.
type Proof struct {
	Kind       string     `json:"kind"`
	Entry      string     `json:"entry,omitempty"` // the line of the record, to the byte
	Index      int64      `json:"index,omitempty"`
	Old        string     `json:"old,omitempty"`
	Hashes     []string   `json:"hashes"` // base64
	Checkpoint string     `json:"checkpoint"`
	Keys       []KeyEntry `json:"keys"`
}

// Include proves that entry is leaf index of the tree of a signed checkpoint.
func (t Tiles) Include(entry []byte, index int64, signed []byte, keys []KeyEntry) (*Proof, error) {
	c, err := Read(signed)
	if err != nil {
		return nil, err
	}
	if index >= c.N {
		return nil, fmt.Errorf("the checkpoint covers %d entries, and this is entry %d", c.N, index)
	}
	r := t.Reader(c.Tree)
	hashes, err := tlog.ProveRecord(c.N, index, r)
	if err != nil {
		return nil, err
	}
	leaf := tlog.RecordHash(entry)
	if err := tlog.CheckRecord(hashes, c.N, c.Hash, index, leaf); err != nil {
		return nil, errors.New("this entry is not what the checkpoint covers: it was changed")
	}
	return &Proof{Kind: KindInclusion, Entry: string(entry), Index: index, Hashes: encode(hashes), Checkpoint: string(signed), Keys: keys}, nil
}

// Extend proves that the tree of one signed checkpoint is the beginning of another's.
func (t Tiles) Extend(old, signed []byte, keys []KeyEntry) (*Proof, error) {
	c, err := Read(signed)
	if err != nil {
		return nil, err
	}
	o, err := Read(old)
	if err != nil {
		return nil, err
	}
	if o.N > c.N {
		return nil, fmt.Errorf("the old checkpoint covers %d entries, the new one only %d", o.N, c.N)
	}
	var hashes tlog.TreeProof
	if o.N > 0 {
		if hashes, err = tlog.ProveTree(c.N, o.N, t.Reader(c.Tree)); err != nil {
			return nil, err
		}
	}
	p := &Proof{Kind: KindConsistency, Old: string(old), Hashes: encode(hashes), Checkpoint: string(signed), Keys: keys}
	return p, p.extends(o, c)
}

// Checked is what a proof shows.
type Checked struct {
	Kind string `json:"kind"`
	// Record is the sequence number that the log gave the record.
	Record     int64      `json:"record,omitempty"`
	Old        int64      `json:"old,omitempty"`
	Checkpoint Checkpoint `json:"-"`
	Size       int64      `json:"size"`
	Root       string     `json:"root"`
	Origin     string     `json:"origin"`
}

// Witnessed says with an error that a witness did not sign the checkpoint.
func (p *Proof) Witnessed(vkey string) error {
	w, err := NewWitness(vkey)
	if err != nil {
		return err
	}
	return w.Signed([]byte(p.Checkpoint))
}

// Check checks a proof with trusted keys; at least one is needed.
func (p *Proof) Check(trusted ...string) (Checked, error) {
	var out Checked
	if len(trusted) == 0 {
		return out, errors.New("a proof is worth nothing without a key that you trust")
	}
	trust, err := NewTrust(p.Keys, trusted...)
	if err != nil {
		return out, err
	}
	c, err := trust.Open([]byte(p.Checkpoint))
	if err != nil {
		return out, fmt.Errorf("the checkpoint: %w", err)
	}
	out = Checked{Kind: p.Kind, Checkpoint: c, Size: c.N, Root: c.Hash.String(), Origin: c.Origin}
	switch p.Kind {
	case KindInclusion:
		out.Record = p.Index + 1
		return out, p.includes(c)
	case KindConsistency:
		old, err := trust.Open([]byte(p.Old))
		if err != nil {
			return out, fmt.Errorf("the old checkpoint: %w", err)
		}
		if old.Origin != c.Origin {
			return out, errors.New("the two checkpoints are of different logs")
		}
		out.Old = old.N
		return out, p.extends(old, c)
	}
	return out, fmt.Errorf("%q is no kind of proof that this version knows", p.Kind)
}

func (p *Proof) includes(c Checkpoint) error {
	hashes, err := decode(p.Hashes)
	if err != nil {
		return err
	}
	if p.Index < 0 || p.Index >= c.N {
		return errors.New("its index is outside of the tree")
	}
	var place struct {
		Seq int64 `json:"seq"`
	}
	if err := json.Unmarshal([]byte(p.Entry), &place); err != nil || place.Seq != p.Index+1 {
		return errors.New("its record has another place in the log than the proof says")
	}
	if err := tlog.CheckRecord(hashes, c.N, c.Hash, p.Index, tlog.RecordHash([]byte(p.Entry))); err != nil {
		return errors.New("its record is not in the tree of the checkpoint")
	}
	return nil
}

func (p *Proof) extends(old, c Checkpoint) error {
	hashes, err := decode(p.Hashes)
	if err != nil {
		return err
	}
	if old.N == 0 {
		return nil // the empty tree is the beginning of every other
	}
	if err := tlog.CheckTree(hashes, c.N, c.Hash, old.N, old.Hash); err != nil {
		return errors.New("the newer checkpoint is not the older one with records behind it: history was changed")
	}
	return nil
}

func encode(hashes []tlog.Hash) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return out
}

func decode(hashes []string) ([]tlog.Hash, error) {
	if len(hashes) > 128 {
		return nil, errors.New("it has more hashes than any proof")
	}
	out := make([]tlog.Hash, len(hashes))
	for i, s := range hashes {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(b) != tlog.HashSize {
			return nil, fmt.Errorf("hash %d of the proof is none", i+1)
		}
		out[i] = tlog.Hash(b)
	}
	return out, nil
}
