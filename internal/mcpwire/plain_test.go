package mcpwire

import (
	"bytes"
	"testing"
)

// plainByByte is what plain says in other words.
func plainByByte(data []byte, i int) int {
	for i < len(data) && isPlain(data[i]) {
		i++
	}
	return i
}

func TestPlainStopsAtEachByteThatIsNot(t *testing.T) {
	text := bytes.Repeat([]byte("a ~!#[]\x7f"), 64)
	for c := range 256 {
		for at := range 300 {
			data := append([]byte(nil), text...)
			data[at] = byte(c)
			if got, want := plain(data, at%7), plainByByte(data, at%7); got != want {
				t.Fatalf("%#02x at %d: stops at %d, want %d", c, at, got, want)
			}
		}
	}
}

func TestPlainReadsNoFurtherThanItsData(t *testing.T) {
	text := bytes.Repeat([]byte("x"), 400)
	for n := range 300 {
		data := append(text[:n:n], 0)[:n:n] // a byte behind it that stops
		if got := plain(data, 0); got != n {
			t.Fatalf("of %d plain bytes it skips %d", n, got)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(bytes.Repeat([]byte("lorem ipsum "), 40), uint8(3))
	f.Add([]byte("\x80"), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, from uint8) {
		i := min(int(from), len(data))
		if got, want := plain(data, i), plainByByte(data, i); got != want {
			t.Errorf("stops at %d, want %d", got, want)
		}
	})
}
