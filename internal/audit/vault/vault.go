// Package vault seals what the record keeps in full with a key for each data
// subject, class of retention and month, so that it can be made unreadable
// without touching the record: by destroying the key.
//
// It promises that a sealed value can be read only with its key, and only as
// the field of the record that it was sealed for (AES-256-GCM). It cannot
// reach copies of the keys: a backup of the data folder that is older than an
// erasure holds them, and a disk may keep what was overwritten.
package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"durward"
)

const (
	keyBytes  = 32
	maxCached = 4096
	suffix    = ".key"
	usual     = "default" // class
	monthly   = "2006-01"
)

// Vault keeps the keys in a folder that only this user may read.
type Vault struct {
	dir string

	mu    sync.Mutex // guards cache, and the making of keys
	cache map[string]*key
}

// key is a key with its name.
type key struct {
	cipher.AEAD
	id string // tells whether it is the one that sealed
}

// Open uses the keys in dir, which is made when a first key is.
func Open(dir string) *Vault { return &Vault{dir: dir, cache: map[string]*key{}} }

// Subject is whom a record is about: its user, else its agent.
func Subject(r *durward.Record) string {
	if r.User != "" {
		return "user:" + r.User
	}
	return "agent:" + r.Agent
}

// sealed is a sealed value as it stands in the record.
type sealed struct {
	Key   string `json:"$sealed"` // subject/class.month
	ID    string `json:"id"`
	Nonce []byte `json:"nonce"`
	Data  []byte `json:"data"`
}

// Seal seals a value as a field of a record.
func (v *Vault) Seal(r *durward.Record, field string, plain []byte) ([]byte, error) {
	class := r.Class
	if class == "" {
		class = usual
	}
	name := filepath.Join(folderOf(Subject(r)), class+"."+r.Time.UTC().Format(monthly))
	k, err := v.key(name)
	if err != nil {
		return nil, fmt.Errorf("seal a value: %w", err)
	}
	nonce := make([]byte, k.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return json.Marshal(sealed{filepath.ToSlash(name), k.id, nonce, k.Seal(nil, nonce, plain, bound(r.ID, field))})
}

func bound(id, field string) []byte { return []byte(id + "\x00" + field) }

// folderOf spreads subjects over folders.
func folderOf(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return filepath.Join(hex.EncodeToString(sum[:1]), hex.EncodeToString(sum[1:17]))
}

// key returns a key, and makes it when there is none.
func (v *Vault) key(name string) (*key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if k := v.cache[name]; k != nil {
		return k, nil
	}
	path := filepath.Join(v.dir, name+suffix)
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	k, err := newKey(secret)
	if err != nil {
		return nil, err
	}
	if len(v.cache) >= maxCached {
		clear(v.cache)
	}
	v.cache[name] = k
	return k, nil
}

func makeKey(path string) ([]byte, error) {
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // never fails
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return secret, os.Rename(path+".new", path)
}

func newKey(secret []byte) (*key, error) {
	if len(secret) != keyBytes {
		return nil, errors.New("a key of the vault is damaged")
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte("durward vault\x00"), secret...))
	return &key{gcm, hex.EncodeToString(sum[:4])}, nil
}

// ErrErased says that the key of a value was destroyed.
var ErrErased = errors.New("the value was erased")

// Open reads a sealed value of a field of the record with an id.
func (v *Vault) Open(id, field string, value []byte) ([]byte, error) {
	var s sealed
	if err := json.Unmarshal(value, &s); err != nil || s.Key == "" || !filepath.IsLocal(filepath.FromSlash(s.Key)) {
		return nil, errors.New("it is no sealed value")
	}
	secret, err := os.ReadFile(filepath.Join(v.dir, filepath.FromSlash(s.Key)+suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrErased
	}
	if err != nil {
		return nil, err
	}
	k, err := newKey(secret)
	if err != nil {
		return nil, err
	}
	if k.id != s.ID {
		return nil, ErrErased // a younger key has taken its place
	}
	if len(s.Nonce) != k.NonceSize() {
		return nil, errors.New("it is no sealed value")
	}
	return k.AEAD.Open(nil, s.Nonce, s.Data, bound(id, field))
}

const mark = `{"$sealed":`

// Unseal replaces the sealed values in a line of the record by what they hold,
// or by {"$erased":true}. Other lines come back as they are.
func (v *Vault) Unseal(raw []byte) []byte {
	for _, field := range []string{"args", "result"} {
		head := []byte(`,"` + field + `":` + mark)
		i := bytes.Index(raw, head)
		if i < 0 {
			continue
		}
		from := i + len(head) - len(mark)
		end := bytes.IndexByte(raw[from:], '}') // base64 and hex have none
		if end < 0 {
			continue
		}
		plain, err := v.Open(idOf(raw), field, raw[from:from+end+1])
		if err != nil {
			plain = []byte(`{"$erased":true}`)
			if !errors.Is(err, ErrErased) {
				plain = []byte(`{"$unreadable":true}`)
			}
		}
		raw = bytes.Join([][]byte{raw[:from], plain, raw[from+end+1:]}, nil)
	}
	return raw
}

func idOf(raw []byte) string {
	_, rest, _ := bytes.Cut(raw, []byte(`,"id":`))
	var id string
	if err := json.NewDecoder(bytes.NewReader(rest[:min(len(rest), 4096)])).Decode(&id); err != nil {
		return ""
	}
	return id
}

// Erase destroys all keys of a subject, and tells how many there were.
func (v *Vault) Erase(subject string) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	folder := folderOf(subject)
	n, err := v.destroy(filepath.Join(v.dir, folder), func(string) bool { return true })
	for name := range v.cache {
		if strings.HasPrefix(name, folder+string(filepath.Separator)) {
			delete(v.cache, name)
		}
	}
	return n, err
}

// Expire destroys the keys of a class of months that ended before a time.
func (v *Vault) Expire(class string, before time.Time) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.cache)
	n := 0
	folders, err := filepath.Glob(filepath.Join(v.dir, "*", "*"))
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		k, err := v.destroy(folder, func(name string) bool {
			month, ok := strings.CutPrefix(strings.TrimSuffix(name, suffix), class+".")
			began, err := time.Parse(monthly, month)
			return ok && err == nil && began.AddDate(0, 1, 0).Before(before)
		})
		if n += k; err != nil {
			return n, err
		}
	}
	return n, nil
}

// destroy overwrites and removes the keys in a folder that which takes.
func (v *Vault) destroy(folder string, which func(name string) bool) (int, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range entries {
		if !which(e.Name()) {
			continue
		}
		if err := shred(filepath.Join(folder, e.Name())); err != nil {
			return n, err
		}
		n++
	}
	d, err := os.Open(folder)
	if err != nil {
		return n, err
	}
	return n, errors.Join(d.Sync(), d.Close())
}

func shred(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, keyBytes), 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Remove(path)
}
