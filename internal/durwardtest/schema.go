package durwardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Revisions are the protocol revisions that have a schema, oldest first.
var Revisions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

// Schemas are the official JSON Schemas of MCP, one for each revision.
type Schemas struct {
	revisions map[string]*revision
}

// NewSchemas loads ../shared/schema/mcp; ok is false where it does not exist.
func NewSchemas(t testing.TB) (s *Schemas, ok bool) {
	t.Helper()
	dir, ok := Shared(t, "schema", "mcp")
	if !ok {
		return nil, false
	}
	s = &Schemas{revisions: map[string]*revision{}}
	for _, name := range Revisions {
		r, err := loadRevision(name, filepath.Join(dir, name+".json"))
		if err != nil {
			t.Fatalf("load the schema of %s: %v", name, err)
		}
		s.revisions[name] = r
	}
	return s, true
}

// Call validates a request or a notification.
func (s *Schemas) Call(rev, method string, raw []byte) error {
	r, ok := s.revisions[rev]
	if !ok {
		return fmt.Errorf("revision %q has no schema", rev)
	}
	def, ok := r.methods[method]
	if !ok {
		return fmt.Errorf("%s does not know the method %q", rev, method)
	}
	return r.validate(def, raw)
}

// Answer validates a response to a request of the given method.
func (s *Schemas) Answer(rev, method string, raw []byte) error {
	r, ok := s.revisions[rev]
	if !ok {
		return fmt.Errorf("revision %q has no schema", rev)
	}
	var m struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if m.Error != nil {
		return r.validate(r.first("JSONRPCErrorResponse", "JSONRPCError"), raw)
	}
	request := strings.TrimSuffix(r.methods[method], "Request")
	if whole := request + "ResultResponse"; r.has(whole) {
		return r.validate(whole, raw)
	}
	if err := r.validate(r.first("JSONRPCResultResponse", "JSONRPCResponse"), raw); err != nil {
		return err
	}
	if r.has("CreateTaskResult") && startsTask(m.Result) { // any request may be answered so that asked for it
		return r.validate("CreateTaskResult", m.Result)
	}
	return r.validate(r.first(request+"Result", "EmptyResult", "Result"), m.Result)
}

// startsTask tells a task in place of a result (MCP 2025-11-25).
func startsTask(result []byte) bool {
	var m struct{ Task, Content json.RawMessage }
	return json.Unmarshal(result, &m) == nil && m.Task != nil && m.Content == nil
}

// revision is one schema file; its definitions are compiled when first used.
type revision struct {
	url     string
	section string            // $defs or definitions
	names   map[string]bool   // definitions
	methods map[string]string // method -> definition of its request or notification
	mu      sync.Mutex
	done    map[string]*jsonschema.Schema // guarded by mu
	c       *jsonschema.Compiler          // guarded by mu
}

func loadRevision(name, path string) (*revision, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	r := &revision{url: "mcp:" + name, names: map[string]bool{}, methods: map[string]string{}, done: map[string]*jsonschema.Schema{}}
	r.c = jsonschema.NewCompiler()
	if err := r.c.AddResource(r.url, doc); err != nil {
		return nil, err
	}
	defs, err := definitions(raw)
	if err != nil {
		return nil, err
	}
	r.section = defs.section
	for def, method := range defs.methods {
		r.names[def] = true
		if method != "" {
			r.methods[method] = def
		}
	}
	return r, nil
}

type definitionList struct {
	section string
	methods map[string]string // definition -> the method it is about, "" for none
}

func definitions(raw []byte) (definitionList, error) {
	type definition struct {
		Properties struct {
			Method struct{ Const string }
		}
	}
	var file struct {
		Defs        map[string]definition `json:"$defs"`
		Definitions map[string]definition
	}
	list := definitionList{section: "$defs", methods: map[string]string{}}
	if err := json.Unmarshal(raw, &file); err != nil {
		return list, err
	}
	defs := file.Defs
	if defs == nil {
		list.section, defs = "definitions", file.Definitions
	}
	for name, d := range defs {
		list.methods[name] = d.Properties.Method.Const
	}
	return list, nil
}

func (r *revision) has(def string) bool { return r.names[def] }

// first is the first of these definitions that the revision has.
func (r *revision) first(defs ...string) string {
	for _, d := range defs {
		if r.has(d) {
			return d
		}
	}
	return defs[0]
}

func (r *revision) validate(def string, raw []byte) error {
	s, err := r.schema(def)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s: %w", def, err)
	}
	return nil
}

func (r *revision) schema(def string) (*jsonschema.Schema, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.done[def]; ok {
		return s, nil
	}
	s, err := r.c.Compile(r.url + "#/" + r.section + "/" + def)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", def, err)
	}
	r.done[def] = s
	return s, nil
}
