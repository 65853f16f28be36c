// Package scan runs the guard's detectors offline, over lines of JSON that
// describe definitions, redefinitions, shadowing, results, arguments and
// sessions, and reports in a form for programs or for people.
//
// Lines are independent of each other; one that cannot be read is reported and
// the rest goes on.
package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"durward"
	"durward/internal/guard"
)

// Line is what is read: `id` and `kind` always, the rest by kind.
type Line struct {
	ID       json.RawMessage   `json:"id"`
	Kind     string            `json:"kind"`
	Server   string            `json:"server"`
	Tool     json.RawMessage   `json:"tool"`
	Before   json.RawMessage   `json:"before"`
	After    json.RawMessage   `json:"after"`
	Registry []Approved        `json:"registry"`
	Text     *string           `json:"text"`
	Args     json.RawMessage   `json:"args"`
	Steps    []Step            `json:"steps"`
	Tools    []json.RawMessage `json:"tools"` // of a server, kind tool_list
}

// Approved is a server's approved tools.
type Approved struct {
	Server string            `json:"server"`
	Tools  []json.RawMessage `json:"tools"`
}

// Step is one call of a session.
type Step struct {
	Server string          `json:"server"`
	Tool   string          `json:"tool"`
	Args   json.RawMessage `json:"args"`
	Result json.RawMessage `json:"result"`
}

// Verdict is what is written for a line.
type Verdict struct {
	ID       json.RawMessage   `json:"id"`
	Verdict  string            `json:"verdict"`
	Score    float64           `json:"score"`
	Changed  bool              `json:"changed"`
	Step     int               `json:"step"`
	Redacted *string           `json:"redacted,omitempty"`
	Findings []durward.Finding `json:"findings"`
}

// Failure is written for a line that could not be read.
type Failure struct {
	ID    json.RawMessage `json:"id"`
	Error string          `json:"error"`
}

// Totals count what came of the lines.
type Totals struct {
	Lines, Failed, Stopped int // Stopped were held or blocked
}

const longestLine = 64 << 20

// JSONL scans lines from in and writes one verdict for each to out, in order.
func JSONL(e *guard.Engine, in io.Reader, out io.Writer) (Totals, error) {
	var t Totals
	r := bufio.NewReaderSize(in, 1<<16)
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for {
		line, err := readLine(r)
		if len(bytes.TrimSpace(line)) > 0 {
			t.Lines++
			if werr := scanLine(e, line, enc, &t); werr != nil {
				return t, fmt.Errorf("write verdict: %w", werr)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t, fmt.Errorf("read line %d: %w", t.Lines+1, err)
		}
	}
	if err := w.Flush(); err != nil {
		return t, fmt.Errorf("write verdicts: %w", err)
	}
	return t, nil
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > longestLine {
			return nil, fmt.Errorf("longer than %d bytes", longestLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func scanLine(e *guard.Engine, raw []byte, enc *json.Encoder, t *Totals) error {
	var l Line
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Failed++
		return enc.Encode(Failure{ID: idOf(raw), Error: "not a line of this format: " + err.Error()})
	}
	v, err := One(e, &l)
	if err != nil {
		t.Failed++
		return enc.Encode(Failure{ID: orNull(l.ID), Error: err.Error()})
	}
	if v.Verdict == "hold" || v.Verdict == "block" {
		t.Stopped++
	}
	return enc.Encode(v)
}

// idOf rescues the id of a line with a field of the wrong type.
func idOf(raw []byte) json.RawMessage {
	var only struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(raw, &only) // null is the answer then
	return orNull(only.ID)
}

func orNull(id json.RawMessage) json.RawMessage {
	if len(id) == 0 {
		return json.RawMessage("null")
	}
	return id
}
