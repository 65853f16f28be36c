package durwardtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Errander is an MCP server of 2025-11-25 over in and out whose one tool runs
// only as a task: dig, which answers with its depth.
func Errander(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	depth := map[string]json.RawMessage{}
	for lines.Scan() {
		var q struct {
			ID     json.RawMessage
			Method string
			Params struct {
				TaskID    string
				Task      json.RawMessage
				Arguments struct{ Depth json.RawMessage }
			}
		}
		if json.Unmarshal(lines.Bytes(), &q) != nil || q.ID == nil {
			continue
		}
		answer := `"error":{"code":-32601,"message":"Method not found"}`
		switch id := fmt.Sprintf("errand-%d", len(depth)+1); {
		case q.Method == "initialize":
			answer = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}},"serverInfo":{"name":"errander","version":"1"}}`
		case q.Method == "tools/list":
			answer = `"result":{"tools":[{"name":"dig","inputSchema":{"type":"object","properties":{"depth":{"type":"integer"}}},"execution":{"taskSupport":"required"}}]}`
		case q.Method == "tools/call" && q.Params.Task != nil:
			depth[id] = q.Params.Arguments.Depth
			answer = `"result":{"task":{"taskId":"` + id + `","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000}}`
		case q.Method == "tasks/result" && depth[q.Params.TaskID] != nil:
			answer = fmt.Sprintf(`"result":{"content":[{"type":"text","text":"dug %s deep"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":%q}}}`, depth[q.Params.TaskID], q.Params.TaskID)
		}
		if _, err := fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,%s}`+"\n", q.ID, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
