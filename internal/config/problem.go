package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with, or to know about, a file. It never
// holds the value of a secret.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // from 1; 0 when it is about the whole file
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"` // upstreams.crm.url
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

// String is the problem as compilers write it: file:line:column: path: text; hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 { // a flag stands in no file
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems is all that is wrong with a file, in the order of the file.
type Problems []Problem

// Error implements error, a line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Path, b.Path)
	})
}
