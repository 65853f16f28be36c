package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strconv"
)

// JSONL writes one JSON object a line: for a line of input its verdict with
// its id, for anything else a verdict under its name.
func JSONL(w io.Writer) Sink {
	b := bufio.NewWriter(w)
	s := &jsonl{w: b, enc: json.NewEncoder(b)}
	s.enc.SetEscapeHTML(false)
	return s
}

type jsonl struct {
	w   *bufio.Writer
	enc *json.Encoder
}

func (s *jsonl) Verdict(r *Result) error {
	if r.Line > 0 {
		return s.enc.Encode(r.Verdict)
	}
	named := *r.Verdict
	named.ID = quote(r.Name())
	return s.enc.Encode(named)
}

func (s *jsonl) Failure(f *Failure) error {
	if f.Line > 0 {
		return s.enc.Encode(f)
	}
	return s.enc.Encode(Failure{ID: quote(f.Source), Error: f.Error})
}

func (s *jsonl) Flush() error { return s.w.Flush() }
func (s *jsonl) Close() error { return s.w.Flush() }

// quote is a text in JSON; every text has one.
func quote(text string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(text) != nil {
		return json.RawMessage(strconv.Quote("?"))
	}
	return bytes.TrimSpace(b.Bytes())
}

// JSON writes one object: results, and a summary behind them.
func JSON(w io.Writer) Sink {
	b := bufio.NewWriter(w)
	s := &whole{w: b, enc: json.NewEncoder(b)}
	s.enc.SetEscapeHTML(false)
	return s
}

type whole struct {
	w     *bufio.Writer
	enc   *json.Encoder
	begun bool
	sum   summary
}

// item is a result as it stands in the object.
type item struct {
	Source string `json:"source"`
	Line   int    `json:"line,omitempty"`
	Part   string `json:"part,omitempty"`
	*Verdict
}

func (s *whole) Verdict(r *Result) error {
	s.sum.count(r.Verdict)
	return s.add(item{Source: r.Source, Line: r.Line, Part: r.Part, Verdict: r.Verdict})
}

func (s *whole) Failure(f *Failure) error {
	s.sum.Failed++
	return s.add(struct {
		Source string          `json:"source"`
		Line   int             `json:"line,omitempty"`
		ID     json.RawMessage `json:"id"`
		Error  string          `json:"error"`
	}{f.Source, f.Line, orNull(f.ID), f.Error})
}

func (s *whole) add(v any) error {
	before := ","
	if !s.begun {
		s.begun, before = true, "{\"results\":[\n"
	}
	if _, err := s.w.WriteString(before); err != nil {
		return err
	}
	return s.enc.Encode(v)
}

func (s *whole) Flush() error { return s.w.Flush() }

func (s *whole) Close() error {
	before := "],\"summary\":"
	if !s.begun {
		before = "{\"results\":[" + before
	}
	_, _ = s.w.WriteString(before) // a writer that failed goes on failing
	sum, err := json.Marshal(s.sum)
	if err != nil {
		return err
	}
	_, _ = s.w.Write(append(sum, "}\n"...))
	return s.w.Flush()
}

// summary counts verdicts.
type summary struct {
	Inspected int `json:"inspected"`
	Blocked   int `json:"blocked"`
	Held      int `json:"held"`
	Redacted  int `json:"redacted"`
	Flagged   int `json:"flagged"`
	Clean     int `json:"clean"`
	Failed    int `json:"failed"`
}

func (s *summary) count(v *Verdict) {
	s.Inspected++
	switch v.Verdict {
	case "block":
		s.Blocked++
	case "hold":
		s.Held++
	case "redact":
		s.Redacted++
	case "flag":
		s.Flagged++
	default:
		s.Clean++
	}
}
