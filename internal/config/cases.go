package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"go.yaml.in/yaml/v4"
)

// casesFile is a file of policy cases: read, and described to editors, as
// durward.yaml is.
type casesFile struct {
	Schema ignored      `key:"$schema" doc:"Where an editor finds the schema of this file."`
	Cases  []policyCase `key:"cases" doc:"Calls, and what is to be decided about them."`
}

type policyCase struct {
	Name        text     `key:"name" doc:"What the case shows, in a sentence."`
	Agent       name     `key:"agent" doc:"Who calls; an agent of the configuration."`
	Tool        text     `key:"tool" doc:"What is called, as <upstream>__<tool>."`
	Args        anything `key:"args" doc:"The arguments; none when absent."`
	Annotations anything `key:"annotations" doc:"The annotations of the tool, such as {destructiveHint: true}."`
	Labels      []word   `key:"labels" doc:"What the conversation has seen: untrusted, internal, personal, secret."`
	Source      text     `key:"source" doc:"The address of the caller."`
	At          text     `key:"at" doc:"When, as 2026-11-22T03:00:00Z; now when absent."`
	Want        word     `key:"want" words:"allow|flag|redact|hold|deny" doc:"What is to be decided."`
	Rule        text     `key:"rule" doc:"A part of the name of the rule that is to decide."`
}

// anything is a value of any shape.
type anything struct{ value any }

// Case is a call and what is to be decided about it.
type Case struct {
	Name, Agent, Tool string
	Args, Annotations json.RawMessage // objects; nil for none
	Labels            []string
	Source            string
	At                time.Time // zero for now
	Want, Rule        string
	Line              int
}

// LoadCases reads a file of policy cases. What is wrong with it comes back as [Problems].
func LoadCases(path string, o Options) ([]Case, error) {
	files := sources{}
	raw, err := files.read(path, maxFile)
	if err != nil {
		return nil, Problems{{File: path, Text: "cannot be read: " + err.Error()}}
	}
	root, problem := parse(path, raw)
	if problem != nil {
		return nil, Problems{*problem}
	}
	env := o.Env
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	r := &reader{file: path, refs: references{dir: filepath.Dir(path), env: env, files: files}, places: map[string]place{}}
	var in casesFile
	r.read(root, reflect.ValueOf(&in).Elem(), "", "")
	var out []Case
	for i, c := range in.Cases {
		out = append(out, r.policyCase(fmt.Sprintf("cases[%d]", i), c))
	}
	if len(out) == 0 && len(r.problems) == 0 {
		r.fail(root, "cases", "there are none", "")
	}
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	return out, nil
}

func (r *reader) policyCase(at string, in policyCase) Case {
	node := r.places[at].value
	c := Case{Name: string(in.Name), Agent: string(in.Agent), Tool: string(in.Tool), Labels: texts(in.Labels), Source: string(in.Source), Want: string(in.Want), Rule: string(in.Rule)}
	if node != nil {
		c.Line = node.Line
	}
	for _, must := range [][2]string{{"agent", c.Agent}, {"tool", c.Tool}, {"want", c.Want}} {
		if must[1] == "" {
			r.fail(node, at, "has no "+must[0], "")
		}
	}
	if c.Name == "" {
		c.Name = c.Agent + " calls " + c.Tool
	}
	var err error
	if in.At != "" {
		if c.At, err = time.Parse(time.RFC3339, string(in.At)); err != nil {
			r.fail(node, join(at, "at"), "is no time", "write 2026-11-22T03:00:00Z")
		}
	}
	c.Args, c.Annotations = r.object(node, join(at, "args"), in.Args), r.object(node, join(at, "annotations"), in.Annotations)
	return c
}

// object is a mapping of the file as JSON.
func (r *reader) object(node *yaml.Node, at string, v anything) json.RawMessage {
	if v.value == nil {
		return nil
	}
	raw, err := json.Marshal(v.value)
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		r.fail(node, at, "is not a mapping of keys to values", "")
		return nil
	}
	return raw
}

// CasesSchema is the JSON Schema (2020-12) of a file of policy cases, for editors.
func CasesSchema() []byte {
	return schemaOf(casesFile{}, "Durward policy cases", "Calls, and what the policy is to decide about them: durward policy test FILE.")
}
