package durward

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxPublicName is the longest public name. Hosts refuse a whole list for one
// name that is longer or holds other characters than [A-Za-z0-9_-].
const MaxPublicName = 64

// PublicName is the name under which agents see an upstream's tool or prompt,
// unless another one had it first. It depends on nothing but the two: what has
// to be shortened or cleaned gets a suffix from the exact name.
func PublicName(alias, name string) string {
	public := alias + "__" + name
	if clean := sanitize(public); clean == public && len(public) <= MaxPublicName {
		return public
	}
	return SuffixedName(alias, name, 0)
}

// SuffixedName is the public name with a digest of the exact name behind it;
// there are several, should one be taken.
func SuffixedName(alias, name string, n int) string {
	exact := alias + "\x00" + name
	if n > 0 {
		exact += "\x00" + strconv.Itoa(n)
	}
	sum := sha256.Sum256([]byte(exact))
	suffix := "_" + hex.EncodeToString(sum[:5])
	clean := sanitize(alias + "__" + name)
	return clean[:min(len(clean), MaxPublicName-len(suffix))] + suffix
}

func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
}
