package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// question is one input request of a server (MCP 2026-07-28).
type question struct {
	Method string `json:"method"`
	Params struct {
		Mode    string          `json:"mode"`
		Message string          `json:"message"`
		URL     string          `json:"url"`
		Schema  json.RawMessage `json:"requestedSchema"`
	} `json:"params"`
}

// form is what the CLI declares when somebody can be asked.
func form() map[string]any {
	return map[string]any{"elicitation": map[string]any{"form": map[string]any{}, "url": map[string]any{}}}
}

// answers asks the person at the terminal each question.
func (a *app) answers(questions map[string]json.RawMessage) (map[string]any, error) {
	if !a.canAsk() {
		return nil, errors.New("the server asks for input, and nobody can be asked here; run the command on a terminal")
	}
	out := map[string]any{}
	lines := bufio.NewScanner(a.in)
	for _, key := range slices.Sorted(maps.Keys(questions)) {
		var q question
		if err := json.Unmarshal(questions[key], &q); err != nil || q.Method != "elicitation/create" {
			return nil, fmt.Errorf("the server asks for %s, which the CLI cannot answer", oneLine(q.Method))
		}
		a.err.erase()
		a.err.line("%s %s", a.err.cyan("The server asks:"), clean(q.Params.Message))
		if q.Params.Mode == "url" {
			out[key] = a.visit(lines, q)
			continue
		}
		answer, err := a.fill(lines, readSchema(q.Params.Schema))
		if err != nil {
			return nil, err
		}
		out[key] = answer
	}
	return out, nil
}

func action(word string) map[string]any { return map[string]any{"action": word} }

// visit shows an address. We never open it: a person should see it first.
func (a *app) visit(lines *bufio.Scanner, q question) map[string]any {
	a.err.line("Open this address yourself if you trust it: %s", oneLine(q.Params.URL))
	if a.confirm(lines, "Done?", false) {
		return action("accept")
	}
	return action("decline")
}

// fill asks for each field of a form.
func (a *app) fill(lines *bufio.Scanner, s schema) (map[string]any, error) {
	content := map[string]any{}
	for _, name := range fieldOrder(s) {
		v, given, err := a.field(lines, name, s.Properties[name], slices.Contains(s.Required, name))
		if err != nil {
			return action("cancel"), nil //nolint:nilerr // no answer is an answer: the person left
		}
		if given {
			content[name] = v
		}
	}
	if len(s.Properties) != 1 && !a.confirm(lines, "Send this?", true) {
		return action("decline"), nil
	}
	return map[string]any{"action": "accept", "content": content}, nil
}

// fieldOrder puts required fields first; JSON objects have no order of their own here.
func fieldOrder(s schema) []string {
	names := slices.Sorted(maps.Keys(s.Properties))
	slices.SortStableFunc(names, func(x, y string) int {
		return boolOrder(slices.Contains(s.Required, y)) - boolOrder(slices.Contains(s.Required, x))
	})
	return names
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}

// field asks until the answer fits or the input ends.
func (a *app) field(lines *bufio.Scanner, name string, s schema, required bool) (v any, given bool, err error) {
	label := s.Title
	if label == "" {
		label = name
	}
	if s.Description != "" {
		a.err.line("  %s", a.err.dim(oneLine(s.Description)))
	}
	if s.is("boolean") {
		standard, _ := s.Default.(bool)
		return a.confirm(lines, oneLine(label)+"?", standard), true, nil
	}
	for {
		a.prompt("  %s%s: ", oneLine(label), choices(s))
		if !lines.Scan() {
			return nil, false, errNoAnswer
		}
		text := strings.TrimSpace(lines.Text())
		switch {
		case text == "" && s.Default != nil:
			return s.Default, true, nil
		case text == "" && !required:
			return nil, false, nil
		case text == "":
			continue
		}
		if v, ok := typed(s, text); ok {
			return v, true, nil
		}
		a.err.line("  %s", a.err.yellow("that does not fit"))
	}
}

func (a *app) prompt(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format, args...) }

// choices shows what may be answered, and what an empty answer means.
func choices(s schema) string {
	var words []string
	for _, v := range s.Enum {
		words = append(words, fmt.Sprint(v))
	}
	for _, o := range s.OneOf {
		words = append(words, o.Const)
	}
	text := ""
	if len(words) > 0 {
		text = " (" + oneLine(strings.Join(words, ", ")) + ")"
	}
	if s.Default != nil {
		text += fmt.Sprintf(" [%s]", oneLine(fmt.Sprint(s.Default)))
	}
	return text
}

// typed is the answer as the schema wants it.
func typed(s schema, text string) (any, bool) {
	switch {
	case len(s.Enum) > 0:
		for _, v := range s.Enum {
			if fmt.Sprint(v) == text {
				return v, true
			}
		}
		return nil, false
	case len(s.OneOf) > 0:
		for _, o := range s.OneOf {
			if o.Const == text {
				return text, true
			}
		}
		return nil, false
	case s.is("integer"):
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case s.is("number"):
		n, err := strconv.ParseFloat(text, 64)
		return n, err == nil
	case s.is("array"):
		return listed(s, text), true
	}
	return text, true
}

// confirm asks a question of yes and no; an end of input is no.
func (a *app) confirm(lines *bufio.Scanner, question string, standard bool) bool {
	hint := "[y/N]"
	if standard {
		hint = "[Y/n]"
	}
	a.prompt("  %s %s ", question, hint)
	if !lines.Scan() {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(lines.Text())) {
	case "y", "yes":
		return true
	case "":
		return standard
	}
	return false
}
