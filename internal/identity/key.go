// Package identity answers one question: who presents this credential?
//
// It mints virtual keys, hashes them for keeping, and finds the agent of a
// presented one in an immutable [Index]. It promises that a secret is never
// kept, that lookups do not depend on secret bytes beyond their HMAC, and that
// doubt refuses. It does not decide what an agent may do.
package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"durward"
)

const (
	// Prefix starts every key that we mint, so that secret scanners find it.
	Prefix = "dwk_"

	alphabet    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	randomChars = 40 // 238 bits
	sumChars    = 6  // CRC-32 in base 62
	idChars     = 12

	// MinSecret is the least length of a key that an operator chooses.
	MinSecret = 24
)

// ErrMalformed says that a string looks like one of our keys but its checksum
// is wrong: it was mistyped or cut.
var ErrMalformed = errors.New("the key's checksum is wrong: it was mistyped or cut")

// Mint makes a new secret and the key that is kept of it. The caller sets the
// key's Agent or Admin, Expires and Origin, and shows the secret once.
func Mint(pepper []byte, now time.Time) (secret string, k durward.Key) {
	body := randomText(randomChars)
	secret = Prefix + body + checksum(body)
	return secret, durward.Key{
		ID:      "k_" + randomText(idChars),
		Hash:    Hash(pepper, secret),
		Hint:    Hint(secret),
		Created: now.UTC().Truncate(time.Second),
	}
}

// Hash is what is kept of a secret: HMAC-SHA-256 under the installation's
// pepper. Keys are random or long, so no slow derivation is needed (and none
// is affordable per call).
func Hash(pepper []byte, secret string) (sum [32]byte) {
	m := hmac.New(sha256.New, pepper)
	m.Write([]byte(secret))
	m.Sum(sum[:0])
	return sum
}

// Hint is the part of a secret that may be shown: its last four characters.
func Hint(secret string) string {
	if len(secret) < MinSecret {
		return ""
	}
	return secret[len(secret)-4:]
}

// Check tells whether a secret can be a key at all: one of ours with a right
// checksum, or at least [MinSecret] visible ASCII characters. The error never
// contains the secret.
func Check(secret string) error {
	if body, ours := strings.CutPrefix(secret, Prefix); ours {
		if !wellFormed(body) {
			return ErrMalformed
		}
		return nil
	}
	if len(secret) < MinSecret {
		return fmt.Errorf("a key needs at least %d characters, this one has %d", MinSecret, len(secret))
	}
	for i := range len(secret) {
		if secret[i] <= ' ' || secret[i] > '~' {
			return fmt.Errorf("a key may hold visible ASCII characters only; character %d is not", i+1)
		}
	}
	return nil
}

func wellFormed(body string) bool {
	if len(body) != randomChars+sumChars {
		return false
	}
	return checksum(body[:randomChars]) == body[randomChars:]
}

func checksum(body string) string {
	n := crc32.ChecksumIEEE([]byte(body))
	var out [sumChars]byte
	for i := sumChars - 1; i >= 0; i-- {
		out[i] = alphabet[n%62]
		n /= 62
	}
	return string(out[:])
}

func randomText(n int) string {
	out := make([]byte, n)
	for i := range out {
		d, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil { // crypto/rand aborts the process before it returns an error
			panic(err)
		}
		out[i] = alphabet[d.Int64()]
	}
	return string(out)
}
