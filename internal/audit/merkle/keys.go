package merkle

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// KeyEntry is one line of the list of keys: a public key, and the statement
// that binds it to the key before it.
type KeyEntry struct {
	Time time.Time `json:"time"`
	Key  string    `json:"key"` // verifier key (signed note)
	From int64     `json:"from"`
	// Statement is a signed note: of the first key by itself, of each other one
	// by the key before it and by itself.
	Statement string `json:"statement"`
}

// Key is a signing key.
type Key struct {
	Secret string // PRIVATE+KEY+...
	Public string
	signer note.Signer
}

// NewKey makes a key with a name, which is the origin of the log.
func NewKey(name string) (Key, error) {
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return Key{}, err
	}
	return ReadKey(secret, public)
}

// ReadKey takes the two halves of a key.
func ReadKey(secret, public string) (Key, error) {
	s, err := note.NewSigner(secret)
	if err != nil {
		return Key{}, err
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		return Key{}, err
	}
	if s.Name() != v.Name() || s.KeyHash() != v.KeyHash() {
		return Key{}, errors.New("the secret key and the public key do not belong together")
	}
	return Key{secret, public, s}, nil
}

// Signer signs with the key.
func (k Key) Signer() note.Signer { return k.signer }

// Name is the origin of the log.
func (k Key) Name() string { return k.signer.Name() }

const statementHead = "durward audit key/v1"

func statement(old, key string, from int64) string {
	return fmt.Sprintf("%s\nold %s\nnew %s\nfrom %d\n", statementHead, old, key, from)
}

// First is the entry of the first key of a log.
func First(k Key, now time.Time) (KeyEntry, error) { return entry("none", k, 0, now, k.signer) }

// Succeed is the entry of a key that follows old for checkpoints greater than from.
func Succeed(old, k Key, from int64, now time.Time) (KeyEntry, error) {
	return entry(old.Public, k, from, now, old.signer, k.signer)
}

func entry(old string, k Key, from int64, now time.Time, signers ...note.Signer) (KeyEntry, error) {
	signed, err := note.Sign(&note.Note{Text: statement(old, k.Public, from)}, signers...)
	return KeyEntry{Time: now.UTC(), Key: k.Public, From: from, Statement: string(signed)}, err
}

// Trust is which keys are trusted for which sizes.
type Trust struct{ spans []span }

type span struct {
	key      string
	verifier note.Verifier
	from, to int64 // checkpoints with from < size <= to; the first key takes 0, too
}

const forever = int64(1)<<62 - 1

// NewTrust works out what a list of keys is worth to somebody who trusts some
// keys: trust passes from a key to those it was followed by and those it
// followed, by statements that both have signed. A key is trusted for the time
// in which it was in use. With no trusted key, the list is believed as it is,
// as far as its statements hold.
func NewTrust(list []KeyEntry, trusted ...string) (*Trust, error) {
	for _, k := range trusted {
		if _, err := note.NewVerifier(k); err != nil {
			return nil, fmt.Errorf("the trusted key is no verifier key: %w", err)
		}
	}
	spans, err := spansOf(list)
	if err != nil {
		return nil, err
	}
	if len(trusted) == 0 {
		return &Trust{spans}, nil
	}
	if slices.ContainsFunc(spans, func(s span) bool { return slices.Contains(trusted, s.key) }) {
		return &Trust{spans}, nil // every link of the list was signed by both sides
	}
	t := &Trust{}
	for _, k := range trusted {
		v, _ := note.NewVerifier(k) // it was read above
		t.spans = append(t.spans, span{k, v, -1, forever})
	}
	return t, nil
}

// spansOf checks the statements of a list.
func spansOf(list []KeyEntry) ([]span, error) {
	var spans []span
	old := "none"
	for i, e := range list {
		v, err := note.NewVerifier(e.Key)
		if err != nil {
			return nil, fmt.Errorf("key %d of the list: %w", i+1, err)
		}
		s := span{e.Key, v, e.From, forever}
		need := []note.Verifier{v}
		if i == 0 {
			s.from = -1
		} else {
			need = append(need, spans[i-1].verifier)
			if e.From < spans[i-1].from {
				return nil, fmt.Errorf("key %d of the list was in use before the one it follows", i+1)
			}
			spans[i-1].to = e.From
		}
		if err := checkStatement(e, old, need); err != nil {
			return nil, fmt.Errorf("key %d of the list: %w", i+1, err)
		}
		spans, old = append(spans, s), e.Key
	}
	return spans, nil
}

func checkStatement(e KeyEntry, old string, need []note.Verifier) error {
	n, err := note.Open([]byte(e.Statement), note.VerifierList(need...))
	if err != nil {
		return err
	}
	if n.Text != statement(old, e.Key, e.From) {
		return errors.New("its statement is about something else")
	}
	if len(n.Sigs) != len(need) {
		return errors.New("the key before it did not sign its statement")
	}
	return nil
}

// at are the keys that may sign a checkpoint of a size.
func (t *Trust) at(size int64) note.Verifiers {
	var list []note.Verifier
	for _, s := range t.spans {
		if s.from < size && size <= s.to {
			list = append(list, s.verifier)
		}
	}
	return note.VerifierList(list...)
}

// Keys are the trusted keys, the oldest first.
func (t *Trust) Keys() []string {
	var keys []string
	for _, s := range t.spans {
		keys = append(keys, s.key)
	}
	return keys
}

// CheckKey says with an error why s is no public key of a log.
func CheckKey(s string) error {
	_, err := note.NewVerifier(s)
	return err
}

// LooksLikeKey tells a verifier key from the name of a file.
func LooksLikeKey(s string) bool {
	parts := strings.SplitN(s, "+", 3)
	if len(parts) != 3 || len(parts[1]) != 8 {
		return false
	}
	_, err := strconv.ParseUint(parts[1], 16, 32)
	return err == nil
}
