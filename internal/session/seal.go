package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
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

// maxName bounds the same of a name, which has to fit into a header.
const maxName = 4 << 10

// Sealer seals state that a client carries for us, such as requestState (MCP
// 2026-07-28), so that it comes back unchanged, from the one that we gave it
// to, for the same purpose, in time. It is safe for concurrent use.
type Sealer struct {
	aead  cipher.AEAD
	names cipher.AEAD // of Name, whose nonces are made of what is sealed
	nonce []byte      // the key that makes them
}

// NewSealer derives the sealing key from the installation's pepper, so that
// sealed state survives a restart.
func NewSealer(pepper []byte) (*Sealer, error) {
	block, err := newBlock(pepper, "durward sealed state v1")
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the sealing mode: %w", err)
	}
	if block, err = newBlock(pepper, "durward sealed names v1"); err != nil {
		return nil, err
	}
	names, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the naming mode: %w", err)
	}
	nonce, err := hkdf.Key(sha256.New, pepper, nil, "durward sealed names, nonces v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the naming key: %w", err)
	}
	return &Sealer{aead: aead, names: names, nonce: nonce}, nil
}

func newBlock(pepper []byte, purpose string) (cipher.Block, error) {
	key, err := hkdf.Key(sha256.New, pepper, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the sealing key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the sealing cipher: %w", err)
	}
	return block, nil
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

// Name gives what a client will call us by, such as the id of a task, a name
// that tells it nothing and that only who is bound to it can use. The same
// thing always gets the same name: the nonce is made of what is sealed, so it
// is never used for two. A name does not expire.
func (s *Sealer) Name(state []byte, binding ...string) string {
	with := bound(binding)
	mac := hmac.New(sha256.New, s.nonce)
	mac.Write(binary.AppendUvarint(nil, uint64(len(with))))
	mac.Write(with)
	mac.Write(state)
	nonce := mac.Sum(nil)[:s.names.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.names.Seal(nonce, nonce, state, with))
}

// Named returns what was named for the same binding; otherwise ErrSeal.
func (s *Sealer) Named(name string, binding ...string) ([]byte, error) {
	if len(name) > maxName {
		return nil, ErrSeal
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(name)
	if err != nil || len(sealed) < s.names.NonceSize() {
		return nil, ErrSeal
	}
	nonce, rest := sealed[:s.names.NonceSize()], sealed[s.names.NonceSize():]
	state, err := s.names.Open(nil, nonce, rest, bound(binding))
	if err != nil {
		return nil, ErrSeal
	}
	return state, nil
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
