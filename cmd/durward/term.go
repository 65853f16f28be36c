package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is one output stream. Colours and moving lines are only for a
// terminal, and colours not with NO_COLOR.
type screen struct {
	io.Writer
	tty    bool
	colour bool
	width  int // columns; 0 when it is no terminal
}

func newScreen(f *os.File) *screen {
	s := &screen{Writer: f, tty: term.IsTerminal(int(f.Fd()))}
	s.colour = s.tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && s.tty {
		s.width = w
	}
	return s
}

// line prints one line. A terminal that went away is not our trouble.
func (s *screen) line(format string, args ...any) { _, _ = fmt.Fprintf(s, format+"\n", args...) }

func (s *screen) paint(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) bold(text string) string   { return s.paint("1", text) }
func (s *screen) dim(text string) string    { return s.paint("2", text) }
func (s *screen) red(text string) string    { return s.paint("31", text) }
func (s *screen) green(text string) string  { return s.paint("32", text) }
func (s *screen) yellow(text string) string { return s.paint("33", text) }
func (s *screen) cyan(text string) string   { return s.paint("36", text) }

// erase removes the moving line that is being shown.
func (s *screen) erase() {
	if s.tty {
		_, _ = io.WriteString(s, "\r\x1b[K")
	}
}

// moving shows text in place of the last moving line; nothing but a terminal gets it.
func (s *screen) moving(text string) {
	if s.tty {
		_, _ = io.WriteString(s, "\r\x1b[K"+s.dim(cut(text, max(s.width-1, 20))))
	}
}

// clean keeps what servers and files say from steering the terminal: control
// characters and those that turn the direction of writing become "?".
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
}

// oneLine is the beginning of a text, cleaned.
func oneLine(text string) string {
	return clean(strings.Join(strings.Fields(text), " "))
}

// cut shortens a text to at most width characters.
func cut(text string, width int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
