package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"durward"
	"durward/internal/guard"
)

// One judges one line.
func One(e *guard.Engine, l *Line) (*Verdict, error) {
	if len(l.ID) == 0 {
		return nil, errors.New("id is missing")
	}
	switch l.Kind {
	case "tool_definition", "tool_rugpull", "tool_shadowing":
		return definition(e, l)
	case "tool_response", "secret", "secrets":
		if l.Text == nil {
			return nil, errors.New("text is missing")
		}
		return verdict(l.ID, e.Text([]byte(*l.Text)), -1), nil
	case "tool_args":
		return arguments(e, l)
	case "session":
		return session(e, l)
	case "tool_list":
		return list(e, l)
	case "":
		return nil, errors.New("kind is missing")
	}
	return nil, fmt.Errorf("kind %q is not known", l.Kind)
}

func definition(e *guard.Engine, l *Line) (*Verdict, error) {
	if len(l.Before) > 0 || len(l.After) > 0 {
		if !object(l.Before) || !object(l.After) {
			return nil, errors.New("before and after must be tool definitions")
		}
		r, err := e.Redefinition(l.Before, l.After)
		if err != nil {
			return nil, err
		}
		return verdict(l.ID, r, -1), nil
	}
	if !object(l.Tool) {
		return nil, errors.New("tool must be a tool definition")
	}
	r := e.Definition(l.Tool)
	if l.Registry != nil {
		reg, err := registry(l.Registry)
		if err != nil {
			return nil, err
		}
		r.Merge(e.Shadowing(l.Server, l.Tool, reg))
	}
	return verdict(l.ID, r, -1), nil
}

// list judges a server's tools one by one and together.
func list(e *guard.Engine, l *Line) (*Verdict, error) {
	if l.Tools == nil {
		return nil, errors.New("tools are missing")
	}
	all := guard.NewReport()
	raws := make([][]byte, 0, len(l.Tools))
	for i, t := range l.Tools {
		if !object(t) {
			return nil, fmt.Errorf("tools/%d must be a tool definition", i)
		}
		r := e.Definition(t)
		r.Prefix(fmt.Sprintf("/tools/%d", i))
		all.Merge(r)
		raws = append(raws, t)
	}
	all.Merge(e.List(raws))
	return verdict(l.ID, all, -1), nil
}

func registry(all []Approved) (*guard.Registry, error) {
	var tools []guard.Approved
	for _, a := range all {
		for _, raw := range a.Tools {
			t := guard.Approved{Server: a.Server}
			if bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'"'}) {
				if err := json.Unmarshal(raw, &t.Name); err != nil {
					return nil, fmt.Errorf("registry of %s: %w", a.Server, err)
				}
			} else {
				var def struct{ Name, Description string }
				if err := json.Unmarshal(raw, &def); err != nil {
					return nil, fmt.Errorf("registry of %s: %w", a.Server, err)
				}
				t.Name, t.Description = def.Name, def.Description
			}
			t.Privileged = guard.Privileged(t.Name, raw)
			tools = append(tools, t)
		}
	}
	return guard.NewRegistry(tools), nil
}

func arguments(e *guard.Engine, l *Line) (*Verdict, error) {
	if !object(l.Args) {
		return nil, errors.New("args must be an object")
	}
	var name string
	if err := json.Unmarshal(l.Tool, &name); err != nil {
		var def struct {
			Name        string          `json:"name"`
			InputSchema json.RawMessage `json:"inputSchema"`
		}
		if err := json.Unmarshal(l.Tool, &def); err != nil {
			return nil, errors.New("tool must be a name or a tool definition")
		}
		return verdict(l.ID, e.Call(def.Name, l.Args, guard.Formats(def.InputSchema)), -1), nil
	}
	return verdict(l.ID, e.Call(name, l.Args, nil), -1), nil
}

// session plays the steps and stops counting at the first that would have been
// held or blocked.
func session(e *guard.Engine, l *Line) (*Verdict, error) {
	if l.Steps == nil {
		return nil, errors.New("steps are missing")
	}
	s := e.NewSession(nil)
	all := guard.NewReport()
	stopped := -1
	for i, st := range l.Steps {
		args := st.Args
		if len(args) == 0 {
			args = json.RawMessage("{}")
		}
		r := s.Call(st.Server, st.Tool, args)
		r.Prefix(fmt.Sprintf("/steps/%d/args", i))
		all.Merge(r)
		if stopped < 0 && r.Effect <= durward.Hold {
			stopped = i
		}
		result := plain(st.Result)
		text := e.Text(result)
		s.Result(st.Server, st.Tool, result, text)
	}
	return verdict(l.ID, all, stopped), nil
}

// plain is the text of a result: a JSON string is read, other JSON stays.
func plain(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return raw
}

func object(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'{'})
}

func verdict(id json.RawMessage, r *guard.Report, step int) *Verdict {
	v := &Verdict{ID: orNull(id), Verdict: word(r.Effect), Score: min(max(r.Score, 0), 1), Changed: r.Changed, Step: step, Findings: r.Findings}
	if v.Findings == nil {
		v.Findings = []durward.Finding{}
	}
	if r.Redacted != nil {
		s := string(r.Redacted)
		v.Redacted = &s
	}
	return v
}

// word is the verdict's name in this format.
func word(e durward.Effect) string {
	if e == durward.Deny {
		return "block"
	}
	return e.String()
}
