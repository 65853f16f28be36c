// Package pin keeps definitions to what was approved. A pin is the digest of
// the whole definition in canonical form (RFC 8785), with one digest for each
// group of fields, so that a difference can be explained.
//
// It promises that two definitions have the same pin exactly when they mean
// the same JSON value: order of keys and notation of numbers do not count,
// every character of every string does. It says what changed and how far; what
// to do about it is policy.
package pin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"

	"durward/internal/mcpwire"
)

// Digest is a SHA-256 sum.
type Digest [sha256.Size]byte

// String returns it in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Pin is what is remembered of an approved definition.
type Pin struct {
	Digest Digest
	Groups map[string]Digest // by top-level field
}

// Of computes the pin of a definition as received.
func Of(definition []byte) (Pin, error) {
	if !mcpwire.IsObject(definition) {
		return Pin{}, errors.New("pin: a definition is a JSON object")
	}
	if err := mcpwire.Value(definition, mcpwire.Limits{}); err != nil {
		return Pin{}, fmt.Errorf("pin: definition: %w", err)
	}
	whole, err := mcpwire.AppendCanonical(nil, definition)
	if err != nil {
		return Pin{}, fmt.Errorf("pin: canonical form: %w", err)
	}
	p := Pin{Digest: sha256.Sum256(whole), Groups: map[string]Digest{}}
	buf := make([]byte, 0, len(whole))
	for name, value := range mcpwire.Fields(definition) {
		if buf, err = mcpwire.AppendCanonical(buf[:0], value); err != nil {
			return Pin{}, fmt.Errorf("pin: field %s: %w", name, err)
		}
		p.Groups[name] = sha256.Sum256(buf)
	}
	return p, nil
}

// Changed returns the groups in which two pins differ, sorted.
func (p Pin) Changed(q Pin) []string {
	var out []string
	for name, d := range p.Groups {
		if q.Groups[name] != d {
			out = append(out, name)
		}
	}
	for name := range q.Groups {
		if _, ok := p.Groups[name]; !ok {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// List is the digest of an ordered list of definitions: additions, removals
// and reorderings change it.
func List(names []string, pins []Pin) Digest {
	h := sha256.New()
	for i, n := range names {
		fmt.Fprintf(h, "%d:%s\n", len(n), n)
		h.Write(pins[i].Digest[:])
	}
	return Digest(h.Sum(nil))
}

// Server is the identity of what stands behind a list: how it is reached and
// what it is, never what it calls itself.
type Server struct {
	Transport    string // http, stdio
	Address      string // URL or command line
	Key          string // SPKI hash of its TLS key
	Package      string // name@version+integrity, for stdio
	Issuer       string // authorization server
	Instructions string
	Revision     string
	Capabilities []byte // raw JSON
}

// Digest is the pin of a server.
func (s Server) Digest() (Digest, error) {
	caps := []byte("null")
	if len(s.Capabilities) > 0 {
		var err error
		if caps, err = mcpwire.AppendCanonical(nil, s.Capabilities); err != nil {
			return Digest{}, fmt.Errorf("pin: capabilities: %w", err)
		}
	}
	h := sha256.New()
	for _, f := range []string{s.Transport, s.Address, s.Key, s.Package, s.Issuer, s.Instructions, s.Revision, string(caps)} {
		fmt.Fprintf(h, "%d:%s\n", len(f), f)
	}
	return Digest(h.Sum(nil)), nil
}
