package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// maxDepth bounds nesting; the file itself is four deep.
const maxDepth = 32

// parse reads YAML, or JSON when the file says so by its name, into a node.
// An empty file is an empty mapping.
func parse(name string, raw []byte) (*yaml.Node, *Problem) {
	if !utf8.Valid(raw) {
		return nil, &Problem{File: name, Text: "is not UTF-8"}
	}
	if strings.HasSuffix(strings.ToLower(name), ".json") {
		return parseJSON(name, raw)
	}
	return parseYAML(name, raw)
}

func parseYAML(name string, raw []byte) (*yaml.Node, *Problem) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	loader, err := yaml.NewLoader(bytes.NewReader(raw),
		yaml.WithUniqueKeys(false), // the reader finds all of them, with their places
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, &Problem{File: name, Text: err.Error()}
	}
	var doc yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}, nil
	case err != nil:
		return nil, syntaxProblem(name, raw, err)
	}
	var next yaml.Node
	switch err := loader.Load(&next); {
	case err == nil:
		return nil, &Problem{File: name, Line: next.Line, Column: next.Column, Text: "a second document begins here", Hint: "remove the ---"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxProblem(name, raw, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return &doc, nil
	}
	return doc.Content[0], nil
}

// isEmpty reports whether a file said nothing; {} says that there is nothing.
func isEmpty(root *yaml.Node) bool {
	switch root.Kind {
	case yaml.MappingNode:
		return len(root.Content) == 0 && root.Style&yaml.FlowStyle == 0
	case yaml.ScalarNode:
		return root.Tag == "!!null"
	}
	return root.Kind == 0 || root.Kind == yaml.DocumentNode
}

func syntaxProblem(name string, raw []byte, err error) *Problem {
	p := &Problem{File: name, Text: err.Error()}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return p
	}
	mark := le.Mark
	if mark.Line == 0 {
		mark = le.ContextMark
	}
	p.Line, p.Column, p.Text = mark.Line, max(mark.Column, 1), le.Message
	if le.ContextMsg != "" {
		p.Text = le.ContextMsg + ": " + le.Message
	}
	if strings.Contains(le.Message, "tab character") || strings.Contains(le.Message, "cannot start any token") {
		p.Hint = "indent with spaces"
	}
	lines := bytes.SplitN(raw, []byte("\n"), mark.Line+1)
	if mark.Line > 0 && mark.Line <= len(lines) && bytes.Contains(lines[mark.Line-1], []byte("${")) {
		p.Hint = `within { } and [ ], put ${...} in quotes: "${env:NAME}"`
	}
	return p
}

// jsonParser builds the same nodes as the YAML loader, so that one reader
// knows both; YAML itself is not quite a superset (surrogate pairs, tabs).
type jsonParser struct {
	raw   []byte
	dec   *json.Decoder
	lines []int // offsets at which lines begin
}

func parseJSON(name string, raw []byte) (*yaml.Node, *Problem) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}, nil
	}
	p := &jsonParser{raw: raw, dec: json.NewDecoder(bytes.NewReader(raw)), lines: []int{0}}
	p.dec.UseNumber()
	for i, c := range raw {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	node, err := p.value(0)
	if err == nil {
		if _, more := p.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the end of the object")
		}
	}
	if err != nil {
		line, column := p.position(p.offset())
		return nil, &Problem{File: name, Line: line, Column: column, Text: "is not JSON: " + jsonReason(err)}
	}
	return node, nil
}

func jsonReason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	at := p.offset()
	t, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode}
	node.Line, node.Column = p.position(at)
	switch t := t.(type) {
	case json.Delim:
		return node, p.children(node, t, depth)
	case string:
		node.Tag, node.Value, node.Style = "!!str", t, yaml.DoubleQuotedStyle
	case bool:
		node.Tag, node.Value = "!!bool", fmt.Sprint(t)
	case json.Number:
		node.Tag, node.Value = "!!int", t.String()
		if strings.ContainsAny(t.String(), ".eE") {
			node.Tag = "!!float"
		}
	case nil:
		node.Tag, node.Value = "!!null", "null"
	}
	return node, nil
}

func (p *jsonParser) children(node *yaml.Node, open json.Delim, depth int) error {
	node.Kind, node.Tag, node.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
	if open == '[' {
		node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
	}
	for p.dec.More() {
		child, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		node.Content = append(node.Content, child)
	}
	_, err := p.dec.Token() // the closing one
	return err
}

// offset is where the next token begins.
func (p *jsonParser) offset() int {
	at := int(p.dec.InputOffset())
	for at < len(p.raw) && strings.IndexByte(" \t\r\n,:", p.raw[at]) >= 0 {
		at++
	}
	return at
}

func (p *jsonParser) position(offset int) (line, column int) {
	line = len(p.lines)
	for line > 1 && p.lines[line-1] > offset {
		line--
	}
	start := min(p.lines[line-1], len(p.raw))
	return line, 1 + utf8.RuneCount(p.raw[start:min(max(offset, start), len(p.raw))])
}
