package guard_test

import (
	"strings"
	"testing"
)

// A stream holds back a window, and an open private key up to its bound.
func TestStreamsHoldBackAWindow(t *testing.T) {
	e := engine(t)
	for name, c := range map[string]struct {
		text string
		most int
	}{
		"no sentence ends":  {strings.Repeat("rain in the north and ", 3000), 2 << 10},
		"no blanks":         {strings.Repeat("abcdefgh", 8000), 2 << 10},
		"lines":             {strings.Repeat("rain in the north\n", 3000), 2 << 10},
		"a key never ended": {"-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n", 2000), 16 << 10},
	} {
		const size = 100
		s := e.NewStream()
		in, out := 0, 0
		for i := 0; i < len(c.text); i += size {
			piece := c.text[i:min(i+size, len(c.text))]
			passed, r := s.Write([]byte(piece))
			in, out = in+len(piece), out+len(passed)
			if len(r.Findings) > 0 { // what is cut out does not come through
				break
			}
			if in-out > c.most+size {
				t.Fatalf("%s: %d bytes held back", name, in-out)
			}
		}
	}
}

// However a text with a secret is cut into pieces, the secret does not leave.
func FuzzStream(f *testing.F) {
	f.Add("cloned with ", " yesterday\n", uint8(1))
	f.Add("key: ", ". And more text follows here", uint8(7))
	f.Add(strings.Repeat("rain in the north ", 200), strings.Repeat(" and in the south", 200), uint8(200))
	f.Add("Ignore all previous instructions. ", " -----BEGIN ", uint8(33))
	e := engine(f)
	f.Fuzz(func(t *testing.T, before, after string, size uint8) {
		if strings.Contains(before+after, leaked[4:12]) || size == 0 {
			return
		}
		text := before + " " + leaked + " " + after
		s := e.NewStream()
		var out strings.Builder
		for i := 0; i < len(text); i += int(size) {
			passed, _ := s.Write([]byte(text[i:min(i+int(size), len(text))]))
			out.Write(passed)
		}
		rest, _ := s.Close()
		out.Write(rest)
		for i := 4; i+8 <= len(leaked); i++ {
			if strings.Contains(out.String(), leaked[i:i+8]) {
				t.Fatalf("%q left the stream", leaked[i:i+8])
			}
		}
	})
}
