package scan

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
	"durward/internal/guard/text"
)

// visible shows a text on one line with everything that hides, or steers a
// terminal, written as an escape. Letters spelt in tag characters, which no
// screen shows, are read out.
func visible(s string) string {
	var b, tags strings.Builder
	said := func() {
		if tags.Len() > 0 {
			fmt.Fprintf(&b, `\u{tags: %s}`, tags.String())
			tags.Reset()
		}
	}
	for _, r := range s {
		if r > 0xe0020 && r < 0xe007f || r == 0xe0020 {
			tags.WriteByte(byte(r - 0xe0000))
			continue
		}
		said()
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case text.Shown(r) && r != utf8.RuneError:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	said()
	return b.String()
}

// quoted is visible of what a finding quotes, with runs of what is no text only
// counted.
func quoted(s string) string {
	var b strings.Builder
	from, odd := 0, 0 // of what is not written yet, and of a run at its end
	write := func(to int) {
		if odd > mostOdd {
			fmt.Fprintf(&b, "[%d that are no text]", odd)
		} else {
			b.WriteString(visible(s[from:to]))
		}
		from, odd = to, 0
	}
	for i, r := range s {
		junk := r == utf8.RuneError || r < ' ' && r != '\n' && r != '\t' && r != '\r'
		if junk != (odd > 0) {
			write(i)
		}
		if junk {
			odd++
		}
	}
	write(len(s))
	return b.String()
}

// mostOdd characters in a row are shown although they are no text.
const mostOdd = 3

// What is shown around the first hidden character.
const (
	shownBefore = 40
	shownAfter  = 120
)

// around shows a text where it hides something, or "" when nothing there may
// be shown.
func around(s string) string {
	all := []rune(s)
	first := -1
	for i, r := range all {
		if r != '\n' && r != '\t' && r != '\r' && !text.Shown(r) {
			first = i
			break
		}
	}
	if first < 0 {
		return ""
	}
	from, to := max(0, first-shownBefore), min(len(all), first+shownAfter)
	out := quoted(string(all[from:to]))
	if secret(s) || secret(bare(s)) || secret(out) {
		return fmt.Sprintf("%d characters that are not shown, about a credential that is left out here", hiddenIn(all))
	}
	if from > 0 {
		out = "…" + out
	}
	if to < len(all) {
		out += "…"
	}
	return out
}

func secret(s string) bool {
	finds, _ := dlp.Look(nil, []byte(s))
	return len(finds) > 0
}

// bare is a text as its reader takes it: without what hides, tags read out.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xe0020 && r < 0xe007f:
			return r - 0xe0000
		case r == '\n' || r == '\t' || text.Shown(r):
			return r
		}
		return -1
	}, s)
}

func hiddenIn(all []rune) int {
	n := 0
	for _, r := range all {
		if r != '\n' && r != '\t' && r != '\r' && !text.Shown(r) {
			n++
		}
	}
	return n
}

// at is the text that a finding's place names.
func at(raw []byte, where string) string {
	if !strings.HasPrefix(where, "/") {
		return string(raw)
	}
	out := ""
	carrier.Walk(raw, func(path []string, value []byte, key bool) {
		if !key && out == "" && "/"+strings.Join(path, "/") == where {
			out = string(value)
		}
	})
	return out
}
