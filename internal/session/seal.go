package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrSeal says that a sealed text was changed, is for somebody or something
// else, or is too old. Which of these is not told to the one who sent it.
var ErrSeal = errors.New("the sealed state is not valid here")

// maxSealed bounds what Open decodes.
const maxSealed = 1 << 20

// Sealer seals state that a client carries for us, such as requestState (MCP
// 2026-07-28), so that it comes back unchanged, from the one that we gave it
// to, for the same purpose, in time. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// NewSealer derives the sealing key from the installation's pepper, so that
// sealed state survives a restart.
func NewSealer(pepper []byte) (*Sealer, error) {
	key, err := hkdf.Key(sha256.New, pepper, nil, "durward sealed state v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the sealing mode: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal encrypts state for a binding (agent, upstream, method, ...) until expires.
func (s *Sealer) Seal(state []byte, expires time.Time, binding ...string) string {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(state)), uint64(expires.Unix()))
	plain = append(plain, state...)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, bound(binding)))
}

// Open returns what was sealed for the same binding; otherwise ErrSeal.
func (s *Sealer) Open(text string, now time.Time, binding ...string) ([]byte, error) {
	if len(text) > maxSealed {
		return nil, ErrSeal
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrSeal
	}
	plain, err := s.aead.Open(nil, nil, sealed, bound(binding))
	if err != nil || len(plain) < 8 {
		return nil, ErrSeal
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return nil, ErrSeal
	}
	return plain[8:], nil
}

// bound encodes a binding so that no two different ones look alike.
func bound(parts []string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}
