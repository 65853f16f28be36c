package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
)

// KeyName is the file in the data directory with the key of what is sealed,
// unless the operator keeps one elsewhere.
const KeyName = "seal.key"

// ErrSealed says that what is sealed cannot be opened with the key at hand.
var ErrSealed = errors.New("the secrets in the database were sealed with another key")

// sealedBuckets hold what upstreams are reached with: commands, headers,
// environments, grants. Their values are sealed, each for its place.
var sealedBuckets = [...]string{inUpstreams, inGrants, inJournal}

const (
	sealMark = 1 // first byte of a sealed value; JSON never begins with it
	sealID   = 8 // bytes by which a key is known
)

// sealer seals values with AES-256-GCM.
type sealer struct {
	cipher.AEAD
	id string
}

func newSealer(secret []byte) (*sealer, error) {
	raw, err := hkdf.Key(sha256.New, secret, nil, "durward store", 32+sealID)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw[:32])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	return &sealer{gcm, string(raw[32:])}, err
}

// seal seals a value for its place, so that it cannot be put into another.
func (s *sealer) seal(bucket string, key, plain []byte) []byte {
	out := append([]byte{sealMark}, s.id...)
	nonce := make([]byte, s.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	out = append(out, nonce...)
	return s.Seal(out, nonce, plain, placeOf(bucket, key))
}

func (s *sealer) open(bucket string, key, value []byte) ([]byte, error) {
	head := 1 + sealID + s.NonceSize()
	if len(value) < head || value[0] != sealMark || string(value[1:1+sealID]) != s.id {
		return nil, fmt.Errorf("%s %q: %w", bucket, key, ErrSealed)
	}
	plain, err := s.Open(nil, value[1+sealID:head], value[head:], placeOf(bucket, key))
	if err != nil {
		return nil, fmt.Errorf("%s %q is damaged, or from another place", bucket, key)
	}
	return plain, nil
}

func placeOf(bucket string, key []byte) []byte { return append([]byte(bucket+"\x00"), key...) }

// sealers are the key in use and the one that was before.
type sealers struct {
	now, before *sealer // before is nil, or the file's where another is given
	path        string  // of the file
}

// readSealers takes the key that was given, else the file's, which is made
// when the database has nothing that was sealed with it.
func readSealers(dir string, given []byte, fresh bool) (*sealers, error) {
	s := &sealers{path: filepath.Join(dir, KeyName)}
	secret, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key of the store: %w", err)
	}
	secret = []byte(strings.TrimSpace(string(secret)))
	if len(secret) > 0 {
		if s.before, err = newSealer(secret); err != nil {
			return nil, err
		}
	}
	switch {
	case len(given) > 0:
		s.now, err = newSealer(given)
	case s.before != nil:
		s.now, s.before = s.before, nil
	case !fresh:
		return nil, fmt.Errorf("%w: it is not in %s, and none is given (seal_key in the configuration, or DURWARD_SEAL_KEY)", ErrSealed, s.path)
	default:
		s.now, err = s.make()
	}
	return s, err
}

// make writes a new key, for the owner only.
func (s *sealers) make() (*sealer, error) {
	secret := base64.StdEncoding.AppendEncode(nil, randomBytes(32))
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the key of the store: %w", err)
	}
	_, err = f.Write(append(secret, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("make the key of the store: %w", err)
	}
	return newSealer(secret)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// adopt makes sure that all is sealed with the key in use: what an older
// release left open, and what the file's key sealed before another was given.
// It reports how many values lay open.
func (s *sealers) adopt(tx *bbolt.Tx) (opened int, _ error) {
	meta := tx.Bucket([]byte(inMeta))
	switch id := string(meta.Get([]byte("seal"))); {
	case id == s.now.id:
		return 0, nil
	case id != "" && (s.before == nil || id != s.before.id):
		return 0, fmt.Errorf("%w: it is not the one in %s, nor what seal_key in the configuration or DURWARD_SEAL_KEY give", ErrSealed, s.path)
	}
	for _, name := range sealedBuckets {
		b := tx.Bucket([]byte(name))
		if b == nil {
			continue
		}
		n, err := s.adoptAll(name, b)
		if opened += n; err != nil {
			return opened, err
		}
	}
	return opened, meta.Put([]byte("seal"), []byte(s.now.id))
}

func (s *sealers) adoptAll(name string, b *bbolt.Bucket) (opened int, _ error) {
	again := map[string][]byte{}
	err := b.ForEach(func(k, v []byte) (err error) {
		switch {
		case len(v) > 0 && v[0] != sealMark:
			opened++
		case s.before == nil:
			return ErrSealed
		default:
			if v, err = s.before.open(name, k, v); err != nil {
				return err
			}
		}
		again[string(k)] = s.now.seal(name, k, v)
		return nil
	})
	for k, v := range again {
		if err == nil {
			err = b.Put([]byte(k), v)
		}
	}
	return opened, err
}

// retire removes the file's key once nothing is sealed with it.
func (s *sealers) retire() error {
	if s.before == nil {
		return nil
	}
	s.before = nil
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the key that is no longer used: %w", err)
	}
	return nil
}

// compact writes the database anew: a page that was freed keeps what was on it.
func compact(b *bbolt.DB, path string) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	to, err := bbolt.Open(next, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = errors.Join(bbolt.Compact(to, b, 1<<20), to.Sync(), to.Close())
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := b.Close(); err != nil {
		return err
	}
	return os.Rename(next, path)
}
