// Package octet passes over what most bytes of long texts are, eight at a time:
// ASCII, letters, lower case. Each function says how many bytes at the start
// of a text are of its kind, or a few fewer: a caller that must know goes on
// byte by byte. It does not say what a byte means; the inspectors have tables
// of their own.
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
