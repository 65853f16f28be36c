// Package octet tells bytes many at a time. ASCII, Letters and Lower pass over
// what most bytes of long texts are: each says how many at the start are of its
// kind, or a few fewer, and a caller that must know goes on byte by byte. Sort
// and Match turn sixty-four bytes into masks, a bit for each, by a table of the
// caller's: where words end is read off a mask without the guesses that a
// processor loses at the end of each word. What a byte means is the callers'.
package octet

import (
	"encoding/binary"
	"unsafe"
)

const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// ASCII passes over ASCII.
func ASCII(b []byte) int {
	n := 0
	for ; len(b) >= 32; b = b[32:] {
		if (word(b)|word(b[8:])|word(b[16:])|word(b[24:]))&high != 0 {
			break
		}
		n += 32
	}
	for ; len(b) >= 8 && word(b)&high == 0; b = b[8:] {
		n += 8
	}
	return n
}

// ASCIIText is ASCII of a string.
func ASCIIText(s string) int { return ASCII(unsafe.Slice(unsafe.StringData(s), len(s))) }

// Letters passes over letters of ASCII.
func Letters(b []byte) int { return passed(b, 0x20*ones) }

// Lower passes over letters of ASCII in lower case.
func Lower(b []byte) int { return passed(b, 0) }

// passed is how many bytes, with the bits of fold, are letters in lower case.
func passed(b []byte, fold uint64) int {
	n := 0
	for ; len(b) >= 16; b = b[16:] {
		if lower(word(b)|fold)&lower(word(b[8:])|fold) != high {
			break
		}
		n += 16
	}
	if len(b) >= 8 && lower(word(b)|fold) == high {
		n += 8
	}
	return n
}

// lower has the highest bit of each byte that is a letter in lower case. With
// the highest bit set before, no byte borrows from its neighbour.
func lower(w uint64) uint64 {
	from, beyond := (w|high)-'a'*ones, (w|high)-('z'+1)*ones
	return from &^ beyond &^ w & high
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// Sort tells of the first 64 bytes of b which have each of the four lowest
// bits in a table: bit k of the first result is that of b[k], lowest bit first.
// Where b is shorter, the rest has none.
func Sort(b []byte, table *[256]uint8) (m0, m1, m2, m3 uint64) {
	if len(b) >= 64 {
		return sorted((*[64]byte)(b), table)
	}
	var room [64]byte
	n := copy(room[:], b)
	m0, m1, m2, m3 = sorted(&room, table)
	is := uint64(1)<<n - 1
	return m0 & is, m1 & is, m2 & is, m3 & is
}

func sorted(b *[64]byte, t *[256]uint8) (m0, m1, m2, m3 uint64) {
	for k := 56; k >= 0; k -= 8 {
		w := uint64(t[b[k]]) | uint64(t[b[k+1]])<<8 | uint64(t[b[k+2]])<<16 | uint64(t[b[k+3]])<<24 |
			uint64(t[b[k+4]])<<32 | uint64(t[b[k+5]])<<40 | uint64(t[b[k+6]])<<48 | uint64(t[b[k+7]])<<56
		m0 = m0<<8 | ((w&ones)*gather)>>56
		m1 = m1<<8 | ((w>>1&ones)*gather)>>56
		m2 = m2<<8 | ((w>>2&ones)*gather)>>56
		m3 = m3<<8 | ((w>>3&ones)*gather)>>56
	}
	return m0, m1, m2, m3
}

// Match tells of the first 64 bytes of b which have the lowest bit in a table,
// as Sort does.
func Match(b []byte, table *[256]uint8) uint64 {
	if len(b) >= 64 {
		return matched((*[64]byte)(b), table)
	}
	var room [64]byte
	n := copy(room[:], b)
	return matched(&room, table) & (1<<n - 1)
}

func matched(b *[64]byte, t *[256]uint8) (m uint64) {
	for k := 56; k >= 0; k -= 8 {
		w := uint64(t[b[k]]) | uint64(t[b[k+1]])<<8 | uint64(t[b[k+2]])<<16 | uint64(t[b[k+3]])<<24 |
			uint64(t[b[k+4]])<<32 | uint64(t[b[k+5]])<<40 | uint64(t[b[k+6]])<<48 | uint64(t[b[k+7]])<<56
		m = m<<8 | ((w&ones)*gather)>>56
	}
	return m
}

// gather brings the lowest bits of eight bytes together in the highest one.
const gather = 0x0102040810204080
