package scan

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Paint colours a text by the verdict that it tells; nil leaves it plain.
type Paint func(verdict, text string) string

// Human writes a report for people: what, where, why, how bad, what to do.
// What is clean is only counted.
func Human(w io.Writer, paint Paint) Sink {
	if paint == nil {
		paint = func(_, text string) string { return text }
	}
	return &human{w: bufio.NewWriter(w), paint: paint}
}

type human struct {
	w     *bufio.Writer
	paint Paint
	sum   summary
}

// mostShown bounds the findings that are shown of one thing.
const mostShown = 6

func (h *human) Verdict(r *Result) error {
	h.sum.count(r.Verdict)
	v := r.Verdict
	if v.Verdict == "allow" {
		return nil
	}
	h.line("%s  %s  score %.2f", h.paint(v.Verdict, fmt.Sprintf("%-6s", strings.ToUpper(v.Verdict))), visible(r.Name()), v.Score)
	if v.Step >= 0 {
		h.line("        stopped at step %d", v.Step)
	}
	all := ordered(v.Findings)
	for i, f := range all {
		if i == mostShown {
			h.line("        and %d more; --format json has them all", len(all)-i)
			break
		}
		rule := ruleNamed(f.Rule)
		h.line("  %-8s %s  %s", f.Severity, rule.Help, strings.Trim(f.Rule+"  "+visible(f.Where), " "))
		seen := quoted(f.Evidence)
		if strings.HasSuffix(f.Rule, ".hidden") {
			if shown := around(at(r.raw, f.Where)); shown != "" {
				seen = shown
			}
		}
		if seen != "" {
			h.line("           seen  %s", seen)
		}
		if i+1 == len(all) || i+1 == mostShown || all[i+1].Vector != f.Vector {
			h.line("           do    %s", advice(f.Vector))
		}
	}
	return nil
}

func (h *human) Failure(f *Failure) error {
	h.sum.Failed++
	part := ""
	if id := idText(orNull(f.ID)); id != "null" {
		part = id
	}
	h.line("%s  %s  %s", h.paint("error", "ERROR "), visible(nameOf(f.Source, f.Line, part)), visible(f.Error))
	return nil
}

// line buffers one line; Flush tells what became of it.
func (h *human) line(format string, args ...any) { _, _ = fmt.Fprintf(h.w, format+"\n", args...) }

func (h *human) Flush() error { return h.w.Flush() }

func (h *human) Close() error {
	s := h.sum
	parts := []string{}
	for _, c := range []struct {
		n    int
		word string
	}{{s.Blocked, "blocked"}, {s.Held, "held"}, {s.Redacted, "redacted"}, {s.Flagged, "flagged"}, {s.Clean, "clean"}, {s.Failed, "not read"}} {
		if c.n > 0 || c.word == "clean" {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	h.line("%d inspected: %s", s.Inspected, strings.Join(parts, ", "))
	return h.w.Flush()
}
