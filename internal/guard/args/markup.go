package args

import (
	"bytes"
	"math/bits"
	"strings"
	"sync"

	libinjection "github.com/corazawaf/libinjection-go"

	"durward/internal/guard/octet"
)

// What a byte is to a text without markup.
const (
	quietByte = iota
	mayName   // the first letter of words that need no mark
	joining   // of document.cookie, and of -moz-binding
	marking
)

var inMarkup = func() (t [256]uint8) {
	for c := range t {
		switch c := byte(c); {
		case c == 'f' || c == 'F':
			t[c] = mayName
		case letter(c), '0' <= c && c <= '9', c == ' ', c == ',', c == '!', c == '?', c == '_', c == '/', c == '\n':
		case c == '.' || c == '-':
			t[c] = joining
		default:
			t[c] = marking
		}
	}
	return t
}()

// inert reports a text without any of the marks that markup needs, and without
// the words that need none.
func inert(s string) bool {
	for i := 0; i < len(s); i++ {
		for i+8 <= len(s) && quiet8(s[i:i+8]) {
			i += 8
		}
		if i == len(s) {
			break
		}
		switch inMarkup[s[i]] {
		case mayName: // both words have it
			if within(s, i-len("auto"), "autofocus") || within(s, i, "fromcharcode") {
				return false
			}
		case joining:
			if i+1 < len(s) && letter(s[i+1]) {
				return false
			}
		case marking:
			return false
		}
	}
	return true
}

// quiet8 reports eight bytes of which none says anything.
func quiet8(s string) bool {
	_ = s[7]
	t := &inMarkup
	return t[s[0]]|t[s[1]]|t[s[2]]|t[s[3]]|t[s[4]]|t[s[5]]|t[s[6]]|t[s[7]] == quietByte
}

// within reports a word in either case at a place of a text.
func within(s string, at int, word string) bool {
	return at >= 0 && at+len(word) <= len(s) && s[at]|0x20 == word[0] && strings.EqualFold(s[at:at+len(word)], word)
}

// script judges markup that runs.
func script(s string, shown bool) Finding {
	if inert(s) {
		return Finding{}
	}
	tags := strings.IndexByte(s, '<') >= 0
	n := running(s)
	switch {
	case n >= 2:
		return Finding{Rule: "script", Score: 0.85, What: "markup that runs"}
	case n == 1 && !shown || tags && handler(strings.ToLower(s)):
		return Finding{Rule: "script", Score: 0.8, What: "markup that runs"}
	case (tags || strings.IndexByte(s, '=') >= 0) && libinjection.IsXSS(s): // it knows tags, and values of attributes
		return Finding{Rule: "script", Score: 0.7, What: "libinjection"}
	}
	return Finding{}
}

// runs are the words of markup that runs, each by a byte of it that is rare or
// says something.
var runs = []struct {
	mark  byte
	words []string
}{
	{'<', []string{"<script", "<iframe", "<object", "<embed", "<svg/", "<svgon", "<base", "<meta", "<!entity", "<?xml", "<isindex", "<xss", "<layer", "<bgsound", "<style", "<noscript", "<marquee", "<frameset", "<applet"}},
	{':', []string{"javascript:", "vbscript:", "data:text/html", "xlink:href"}},
	{'=', []string{"srcdoc=", "location.href=", "onerror=", "onload=", "onmouseover=", "onclick=", "onfocus="}},
	{'(', []string{"expression(", "eval(", "alert(", "prompt(", "confirm("}},
	{'`', []string{"alert`"}},
	{'.', []string{"document.cookie", "document.write", "window.location", ".constructor", "navigator."}},
	{'-', []string{"-moz-binding"}},
	{'@', []string{"@import"}},
	{'f', []string{"fromcharcode", "autofocus"}},
}

func ascii(s string) bool {
	for i := octet.ASCIIText(s); i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// running counts words of markup that runs, in either case and whatever blanks
// stand in them.
func running(s string) int {
	room := squeezed.Get().(*[]byte)
	defer squeezed.Put(room)
	flat := (*room)[:0]
	if ascii(s) {
		flat = tight(flat, s)
	} else {
		flat = tight(flat, strings.ToLower(s))
	}
	if cap(flat) <= 2*longest {
		*room = flat
	}
	n := 0
	for k := range quarries {
		n += quarries[k].count(flat)
	}
	return n
}

// quarry are the words of a mark, and where in each of them it stands.
type quarry struct {
	mark  byte
	words []string
	at    []int
}

var quarries = func() (all []quarry) {
	for _, r := range runs {
		q := quarry{mark: r.mark, words: r.words}
		for _, w := range r.words {
			q.at = append(q.at, strings.IndexByte(w, r.mark))
		}
		all = append(all, q)
	}
	return all
}()

// count counts the words that a text has, each once.
func (q *quarry) count(flat []byte) int {
	found := uint32(0)
	for i := 0; ; i++ {
		next := bytes.IndexByte(flat[i:], q.mark)
		if next < 0 {
			return bits.OnesCount32(found)
		}
		i += next
		for k, w := range q.words {
			from := i - q.at[k]
			if from < 0 || len(flat)-from < len(w) || flat[from] != w[0] || flat[from+len(w)-1] != w[len(w)-1] {
				continue
			}
			if string(flat[from:from+len(w)]) == w {
				found |= 1 << k
			}
		}
	}
}

// squeezed are texts without blanks.
var squeezed = sync.Pool{New: func() interface{} { return new([]byte) }}

// tight appends a text in lower case without blanks.
func tight(dst []byte, s string) []byte {
	n := len(dst)
	if cap(dst)-n < len(s) {
		dst = append(make([]byte, 0, n+len(s)), dst...)
	}
	dst = dst[:n+len(s)]
	for i := range len(s) { // what goes is written over
		c := flattened[s[i]]
		dst[n] = c
		if c != 0 {
			n++
		}
	}
	return dst[:n]
}

// flattened is what a byte becomes; 0 when it goes.
var flattened = func() (t [256]byte) {
	for c := range t {
		switch c := byte(c); {
		case 'A' <= c && c <= 'Z':
			t[c] = c | 0x20
		case c == '\t', c == '\n', c == '\r', c == ' ':
		default:
			t[c] = c
		}
	}
	return t
}()
