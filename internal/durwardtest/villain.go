package durwardtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Villain is an MCP server of the older era over in and out that answers what
// a file says, however hostile:
//
//	villain FILE
//
// The file holds {"tools": [...], "results": {"tool": RESULT}, "errors":
// {"tool": ERROR}, "notices": {"tool": [MESSAGE, ...]}, "asks": {"tool": [QUESTION, ...]}, "resources": {"uri":
// RESULT}, "prompts": {"name": RESULT}}. A tool without a result answers with
// the arguments that reached it. A QUESTION is {"method", "params"}; what was
// answered is in the tool's result.
func Villain(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: villain FILE")
	}
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	v := &villain{in: bufio.NewReaderSize(in, 1<<20), out: out}
	if err := json.Unmarshal(raw, &v.script); err != nil {
		return err
	}
	for {
		line, err := v.in.ReadBytes('\n')
		if err != nil {
			return nil // the end of the input is the end of the server
		}
		v.hear(line)
	}
}

type villain struct {
	in     *bufio.Reader
	out    io.Writer
	script struct {
		Tools     json.RawMessage              `json:"tools"`
		Results   map[string]json.RawMessage   `json:"results"`
		Errors    map[string]json.RawMessage   `json:"errors"`
		Notices   map[string][]json.RawMessage `json:"notices"`
		Asks      map[string][]json.RawMessage `json:"asks"`
		Resources map[string]json.RawMessage   `json:"resources"`
		Prompts   map[string]json.RawMessage   `json:"prompts"`
	}
}

func (v *villain) say(format string, args ...any) {
	var flat bytes.Buffer
	if json.Compact(&flat, fmt.Appendf(nil, format, args...)) == nil {
		_, _ = v.out.Write(append(flat.Bytes(), '\n'))
	}
}

func (v *villain) hear(line []byte) {
	var q struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name      string          `json:"name"`
			URI       string          `json:"uri"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"params"`
	}
	if json.Unmarshal(line, &q) != nil || q.ID == nil {
		return
	}
	s := &v.script
	switch q.Method {
	case "initialize":
		v.say(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{},"logging":{}},"serverInfo":{"name":"villain","version":"1"}}}`, q.ID)
	case "tools/list":
		v.list(q.ID, "tools", s.Tools)
	case "resources/list":
		v.names(q.ID, "resources", "uri", s.Resources)
	case "prompts/list":
		v.names(q.ID, "prompts", "name", s.Prompts)
	case "resources/templates/list":
		v.list(q.ID, "resourceTemplates", nil)
	case "resources/read":
		v.result(q.ID, s.Resources[q.Params.URI])
	case "prompts/get":
		v.result(q.ID, s.Prompts[q.Params.Name])
	case "tools/call":
		for _, n := range s.Notices[q.Params.Name] {
			v.say("%s", n)
		}
		if asks := s.Asks[q.Params.Name]; asks != nil {
			text, _ := json.Marshal("heard " + v.ask(asks))
			v.say(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`, q.ID, text)
			return
		}
		if e := s.Errors[q.Params.Name]; e != nil {
			v.say(`{"jsonrpc":"2.0","id":%s,"error":%s}`, q.ID, e)
			return
		}
		if r := s.Results[q.Params.Name]; r != nil {
			v.result(q.ID, r)
			return
		}
		text, _ := json.Marshal(q.Params.Name + " got " + string(q.Params.Arguments))
		v.say(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`, q.ID, text)
	case "ping", "logging/setLevel":
		v.say(`{"jsonrpc":"2.0","id":%s,"result":{}}`, q.ID)
	default:
		v.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, q.ID)
	}
}

// ask asks one question after the other and returns what was answered.
func (v *villain) ask(questions []json.RawMessage) string {
	var heard []byte
	for i, raw := range questions {
		var q struct {
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		if json.Unmarshal(raw, &q) != nil {
			continue
		}
		v.say(`{"jsonrpc":"2.0","id":"ask-%d","method":%q,"params":%s}`, i, q.Method, q.Params)
		for {
			line, err := v.in.ReadBytes('\n')
			if err != nil {
				return string(heard)
			}
			var a struct {
				ID     string          `json:"id"`
				Method string          `json:"method"`
				Result json.RawMessage `json:"result"`
				Error  json.RawMessage `json:"error"`
			}
			if json.Unmarshal(line, &a) != nil || a.Method != "" || a.ID != fmt.Sprintf("ask-%d", i) {
				continue
			}
			heard = append(append(append(heard, a.Result...), a.Error...), ' ')
			break
		}
	}
	return string(heard)
}

func (v *villain) list(id json.RawMessage, member string, items json.RawMessage) {
	if items == nil {
		items = json.RawMessage("[]")
	}
	v.say(`{"jsonrpc":"2.0","id":%s,"result":{%q:%s}}`, id, member, items)
}

func (v *villain) names(id json.RawMessage, member, key string, of map[string]json.RawMessage) {
	items := []map[string]string{}
	for name := range of {
		items = append(items, map[string]string{key: name, "name": name})
	}
	raw, _ := json.Marshal(items)
	v.list(id, member, raw)
}

func (v *villain) result(id, result json.RawMessage) {
	if result == nil {
		v.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"Unknown"}}`, id)
		return
	}
	v.say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result)
}
