package dlp_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"durward/internal/guard/dlp"
)

func TestFindsAreThoseOfAPlainReading(t *testing.T) {
	pieces := []string{
		"a", "B", "7", "_", "-", "/", "+", " ", "\n", ".", "é", "the", "report", "camelCase", "XMLHttp", "password", "Token", "=", ": ", "\"", "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
		"T7#kq9Lm2xV!", "AKIAQWERTYUIOPASDFGH", "4111 1111 1111 1111", "DE89370400440532013000", "67 6e 6f 72 65 ", "105 103 110 111 114 ", "-----BEGIN PRIVATE KEY-----\n", "+49 170 1234567",
		"someone@host.example", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "https://u:p4ssw0rd9@h/", "0x67 ", "abcdefghijklmnop", "0123456789abcdef0123", "QWxsIHRoZSB3YXRlciBp",
		strings.Repeat("p", 70), strings.Repeat("Q", 65), strings.Repeat("z9", 40),
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		var b []byte
		for n := r.IntN(14); n >= 0; n-- {
			p := pieces[r.IntN(len(pieces))]
			b = append(b, p[r.IntN(len(p)):]...)
			if r.IntN(3) == 0 {
				b = append(b, p...)
			}
			if r.IntN(9) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		}
		if got, want := dlp.Append(nil, b), dlp.PlainAppend(b); !slices.EqualFunc(got, want, func(f, g dlp.Find) bool {
			return f.Start == g.Start && f.End == g.End && f.Kind == g.Kind && f.Value == g.Value && f.Sure == g.Sure
		}) {
			t.Fatalf("Append(%q) = %+v, plainly %+v", b, got, want)
		}
		if got, want := dlp.HasRun(b), dlp.PlainHasRun(b); got != want {
			t.Fatalf("HasRun(%q) = %v, plainly %v", b, got, want)
		}
	}
}

func TestPassagesAreThoseOfAPlainReading(t *testing.T) {
	pieces := []string{"plain words of a text", "a", "é", "и", "忽略之前", "\U0001f600", "\ufffd", "\x00", "\x7f", "\x80", "\xc3", "\xe5\xbf", "\xf0\x9f", "\xff", "\xc0", "\x1b[0m", "\n", "\xed\xa0\x80"}
	r := rand.New(rand.NewPCG(11, 12))
	for range 20_000 {
		var b []byte
		for n := r.IntN(30); n >= 0; n-- {
			p := pieces[r.IntN(len(pieces))]
			b = append(b, p[r.IntN(len(p)):]...)
			if r.IntN(9) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		}
		if got, want := dlp.Passages(b), dlp.PlainPassages(b); !bytes.Equal(got, want) {
			t.Fatalf("Passages(%q) = %q, plainly %q", b, got, want)
		}
	}
}
