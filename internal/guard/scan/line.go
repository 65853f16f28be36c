package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"durward/internal/mcpwire"
)

// Line is what is read: `id` and `kind` always, the rest by kind. Fields that
// a kind does not have are ignored, whatever they hold.
type Line struct {
	ID       json.RawMessage
	Kind     string
	Server   string
	Tool     json.RawMessage
	Before   json.RawMessage
	After    json.RawMessage
	Registry []Approved
	Text     *string
	Args     json.RawMessage
	Steps    []Step
	Tools    []json.RawMessage // of a server, kind tool_list
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

// UnmarshalJSON reads the fields of the line's kind, by their exact names.
func (l *Line) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	if id := all["id"]; string(id) != "null" {
		l.ID = id
	}
	if err := take(all, "kind", &l.Kind); err != nil {
		return err
	}
	l.Tool, l.Before, l.After, l.Args = all["tool"], all["before"], all["after"], all["args"]
	switch l.Kind {
	case "tool_definition", "tool_rugpull", "tool_shadowing":
		if len(l.Before) > 0 || len(l.After) > 0 {
			return nil
		}
		if err := take(all, "registry", &l.Registry); err != nil || l.Registry == nil {
			return err
		}
		return take(all, "server", &l.Server)
	case "tool_response", "secret", "secrets":
		return take(all, "text", &l.Text)
	case "session":
		return take(all, "steps", &l.Steps)
	case "tool_list":
		return take(all, "tools", &l.Tools)
	}
	return nil
}

func take(all map[string]json.RawMessage, name string, into any) error {
	raw, ok := all[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// inspected is the value that places in findings refer to.
func (l *Line) inspected(raw []byte) []byte {
	switch {
	case l.Text != nil:
		return []byte(*l.Text)
	case len(l.After) > 0:
		return l.After
	case l.Kind == "tool_definition" || l.Kind == "tool_shadowing":
		return l.Tool
	case l.Kind == "tool_args":
		return l.Args
	}
	return raw
}

// twice reports a key that an object has twice. What else is wrong with a line
// is said where it is read.
func twice(raw []byte) error {
	var flaw *mcpwire.ScanError
	if !errors.As(mcpwire.Value(raw, mcpwire.Limits{Bytes: LongestLine + 2}), &flaw) || !strings.HasPrefix(flaw.Reason, "duplicate key") {
		return nil
	}
	return flaw
}

// idOf rescues the id of a line that is broken, or too long, behind it.
func idOf(raw []byte) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		if key == "id" {
			return value
		}
	}
	return nil
}

func idText(id json.RawMessage) string {
	var s string
	if json.Unmarshal(id, &s) == nil {
		return s
	}
	return string(id)
}

func orNull(id json.RawMessage) json.RawMessage {
	if len(id) == 0 {
		return json.RawMessage("null")
	}
	return id
}
