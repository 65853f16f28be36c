package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a listing: aligned columns on a terminal, tabs when it is piped.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table. The last column is cut to the terminal's width.
func (t *table) print(s *screen) {
	if !s.tty {
		for _, row := range append([][]string{t.head}, t.rows...) {
			s.line("%s", strings.Join(cleaned(row), "\t"))
		}
		return
	}
	width := t.widths()
	s.line("%s", s.dim(t.format(t.head, width, s.width)))
	for _, row := range t.rows {
		s.line("%s", t.format(cleaned(row), width, s.width))
	}
}

func cleaned(row []string) []string {
	out := make([]string, len(row))
	for i, c := range row {
		out[i] = oneLine(c)
	}
	return out
}

func (t *table) widths() []int {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, c := range cleaned(row) {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	return width
}

func (t *table) format(row []string, width []int, screen int) string {
	var b strings.Builder
	for i, c := range row {
		if i == len(row)-1 {
			b.WriteString(cut(c, max(screen-utf8.RuneCountInString(b.String()), 10)))
			break
		}
		fmt.Fprintf(&b, "%s%s  ", c, strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)))
	}
	return strings.TrimRight(b.String(), " ")
}

// printJSON writes a value for scripts.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// printRaw writes JSON of somebody else for scripts: order of members and
// spelling of numbers and texts stay as they came.
func printRaw(s *screen, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	text := b.String()
	if s.tty {
		text = clean(text)
	}
	if _, err := io.WriteString(s, text+"\n"); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// list prints a listing in the form that was asked for. A nil slice is an empty list.
func list[T any](a *app, all []T, head []string, row func(T) []string) error {
	if a.json() {
		if all == nil {
			all = []T{}
		}
		return printJSON(a.out, all)
	}
	t := table{head: head}
	for _, v := range all {
		t.add(row(v)...)
	}
	t.print(a.out)
	return nil
}
