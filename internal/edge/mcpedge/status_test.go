package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"strings"
	"testing"
)

// TestStatuses goes through what a POST can get wrong: the status, the code of
// the JSON-RPC error and the id in it. S in a header stands for a session of
// 2025-11-25, S26 and S18 for those of 2025-03-26 and 2025-06-18.
func TestStatuses(t *testing.T) {
	h := open(t, mcpedge.Options{})
	sessions := map[string]string{"S": h.session(t, "2025-11-25"), "S18": h.session(t, "2025-06-18"), "S26": h.session(t, "2025-03-26")}
	dead := h.session(t, "2025-11-25")
	h.do(t, "DELETE", "/mcp", "", dead)
	sessions["DEAD"] = dead

	list, listing := modern("7", "tools/list", "")
	echo, calling := modern("7", "tools/call", `"name":"echo","arguments":{}`)
	unread, reading := modern("7", "resources/read", `"uri":"file:///none"`)
	reading = append(reading, "Mcp-Name: file:///none")
	deep := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) + `}}`

	for _, c := range []struct {
		name    string
		body    string
		headers header
		status  int
		code    string // of the error, "" for none
		id      string // in the error, "" for none
	}{
		// Who calls.
		{"no credential", list, append(header{"Authorization:"}, listing...), 401, "401", "7"},
		{"an unknown key", list, append(header{"Authorization:", "Authorization: Bearer nobody"}, listing...), 401, "401", "7"},
		{"an unknown key with half a message", `{"jsonrpc`, header{"Authorization:", "Authorization: Bearer nobody"}, 401, "401", ""},

		// What is no message.
		{"half a message", `{"jsonrpc":"2.0","id":7,"method":`, header{"S"}, 400, "-32700", "7"},
		{"no body", ``, header{"S"}, 400, "-32700", ""},
		{"two messages", call("1", "echo") + call("2", "echo"), header{"S"}, 400, "-32700", "1"},
		{"a string", `"tools/call"`, header{"S"}, 400, "-32600", ""},
		{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\xff\"}", header{"S"}, 400, "-32700", "7"},
		{"too deep", deep, header{"S"}, 400, "-32600", "7"},
		{"a name given twice", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","name":"wait"}}`, header{"S"}, 400, "-32600", "7"},
		{"a name that differs in case", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","Name":"wait"}}`, header{"S"}, 400, "-32600", "7"},
		{"wrong jsonrpc", `{"jsonrpc":"1.0","id":7,"method":"ping"}`, header{"S"}, 400, "-32600", "7"},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, header{"S"}, 400, "-32600", ""},
		{"id 1.5", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, header{"S"}, 400, "-32600", ""},
		{"params an array", `{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}`, header{"S"}, 400, "-32602", "7"},

		// Legacy: sessions and versions.
		{"no session", call("7", "echo"), nil, 400, "-32600", "7"},
		{"two sessions", call("7", "echo"), header{"S", "S18"}, 400, "-32600", "7"},
		{"an unknown session", call("7", "echo"), header{"Mcp-Session-Id: none"}, 404, "404", "7"},
		{"an ended session", call("7", "echo"), header{"DEAD"}, 404, "404", "7"},
		{"somebody else's session", call("7", "echo"), header{"S", "Authorization:", "Authorization: Bearer " + keyOf("bob")}, 404, "404", "7"},
		{"an unknown version", call("7", "echo"), header{"S", "MCP-Protocol-Version: 1999-01-01"}, 400, "-32600", "7"},
		{"no version header", call("7", "echo"), header{"S"}, 200, "", ""},
		{"the version header", call("7", "echo"), header{"S", "MCP-Protocol-Version: 2025-11-25"}, 200, "", ""},
		{"an unknown method", `{"jsonrpc":"2.0","id":7,"method":"tasks/list"}`, header{"S"}, 200, "-32601", "7"},
		{"a method of the other era", `{"jsonrpc":"2.0","id":7,"method":"server/discover"}`, header{"S"}, 200, "-32601", "7"},
		{"an unknown tool", call("7", "none"), header{"S"}, 200, "-32602", "7"},
		{"an unknown resource", `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///none"}}`, header{"S"}, 200, "-32002", "7"},
		{"an unknown resource in 2025-06-18", `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///none"}}`, header{"S18"}, 200, "-32002", "7"},
		{"an unknown resource in 2026-07-28", unread, reading, 200, "-32602", "7"},
		{"a name that is no string", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":1}}`, header{"S"}, 200, "-32602", "7"},
		{"ping", `{"jsonrpc":"2.0","id":7,"method":"ping"}`, header{"S"}, 200, "", ""},
		{"a log level", `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"error"}}`, header{"S18"}, 200, "", ""},
		{"no log level", `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"loud"}}`, header{"S"}, 200, "-32602", "7"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, header{"S"}, 202, "", ""},
		{"an unknown notification", `{"jsonrpc":"2.0","method":"notifications/none"}`, header{"S"}, 202, "", ""},
		{"a notification without session", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, 400, "-32600", ""},
		{"an answer nobody waits for", `{"jsonrpc":"2.0","id":"durward-9","result":{}}`, header{"S"}, 202, "", ""},
		{"initialize without version", `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}`, nil, 200, "-32602", "7"},
		{"initialize with an unknown version header", strings.Replace(initialize, "REVISION", "2031-01-01", 1), header{"MCP-Protocol-Version: 2031-01-01"}, 200, "", ""},

		// Batches.
		{"a batch in 2025-03-26", "[" + call("1", "echo") + "," + call("2", "none") + "]", header{"S26"}, 200, "", ""},
		{"a batch in 2025-11-25", "[" + call("1", "echo") + "]", header{"S"}, 400, "-32600", ""},
		{"a batch in 2025-06-18", "[" + call("1", "echo") + "]", header{"S18"}, 400, "-32600", ""},
		{"a batch in 2026-07-28", "[" + list + "]", listing, 400, "-32600", ""},
		{"a batch without session", "[" + call("1", "echo") + "]", nil, 400, "-32600", ""},
		{"an empty batch", " []", header{"S26"}, 400, "-32600", ""},
		{"a batch of notifications", `[{"jsonrpc":"2.0","method":"notifications/initialized"}]`, header{"S26"}, 202, "", ""},
		{"a batch with half a message", `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"json`, header{"S26"}, 400, "-32700", ""},

		// Modern: header and body must agree.
		{"modern", list, listing, 200, "", ""},
		{"modern with a session id", list, append(header{"Mcp-Session-Id: none", "Last-Event-ID: 1"}, listing...), 200, "", ""},
		{"padded Mcp-Name", echo, header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name:   echo  "}, 200, "", ""},
		{"Mcp-Name in base64", echo, header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: =?base64?ZWNobw==?="}, 200, "", ""},
		{"no version header on modern", list, header{"Mcp-Method: tools/list"}, 400, "-32020", "7"},
		{"another version in the header", list, header{"MCP-Protocol-Version: 2025-11-25", "Mcp-Method: tools/list"}, 400, "-32020", "7"},
		{"no _meta", `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, listing, 400, "-32602", "7"},
		{"no capabilities", `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, listing, 400, "-32602", "7"},
		{"no Mcp-Method", list, header{"MCP-Protocol-Version: 2026-07-28"}, 400, "-32020", "7"},
		{"another Mcp-Method", list, header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call"}, 400, "-32020", "7"},
		{"no Mcp-Name", echo, calling[:2], 400, "-32020", "7"},
		{"another Mcp-Name", echo, append(header{"Mcp-Name: wait"}, calling[:2]...), 400, "-32020", "7"},
		{"a future version", strings.ReplaceAll(list, "2026-07-28", "2031-01-01"), header{"MCP-Protocol-Version: 2031-01-01", "Mcp-Method: tools/list"}, 400, "-32022", "7"},
		{"a version that is no date", strings.ReplaceAll(list, "2026-07-28", "v999.0.0"), header{"MCP-Protocol-Version: v999.0.0", "Mcp-Method: tools/list"}, 400, "-32022", "7"},
		{"modern initialize", strings.Replace(list, "tools/list", "initialize", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: initialize"}, 404, "-32601", "7"},
		{"modern ping", strings.Replace(list, "tools/list", "ping", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: ping"}, 404, "-32601", "7"},
		{"modern setLevel", strings.Replace(list, "tools/list", "logging/setLevel", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: logging/setLevel"}, 404, "-32601", "7"},
		{"a modern unknown method", strings.Replace(list, "tools/list", "no/such", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: no/such"}, 404, "-32601", "7"},
		{"a modern list without upstream", strings.Replace(list, "tools/list", "prompts/list", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: prompts/list"}, 404, "-32601", "7"},
		{"a modern unknown tool", strings.Replace(echo, "echo", "none", 1), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: none"}, 200, "-32602", "7"},
		{"a modern notification", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: notifications/cancelled"}, 202, "", ""},
		{"a modern answer", `{"jsonrpc":"2.0","id":7,"result":{}}`, header{"MCP-Protocol-Version: 2026-07-28"}, 400, "-32600", "7"},
		{"listen without filter", func() string { b, _ := modern("7", "subscriptions/listen", ""); return b }(), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: subscriptions/listen"}, 200, "-32602", "7"},
		{"listen without events", func() string { b, _ := modern("7", "subscriptions/listen", `"notifications":{}`); return b }(), header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: subscriptions/listen", "Accept:", "Accept: application/json"}, 406, "-32600", "7"},

		// HTTP.
		{"text", list, append(header{"Content-Type:", "Content-Type: text/plain"}, listing...), 415, "-32600", ""},
		{"another charset", list, append(header{"Content-Type:", "Content-Type: application/json; charset=latin1"}, listing...), 415, "-32600", ""},
		{"the charset", list, append(header{"Content-Type:", "Content-Type: application/json; charset=UTF-8"}, listing...), 200, "", ""},
		{"compressed", list, append(header{"Content-Encoding: gzip"}, listing...), 415, "-32600", ""},
		{"accepting HTML", list, append(header{"Accept:", "Accept: text/html"}, listing...), 406, "-32600", ""},
		{"accepting anything", list, append(header{"Accept:", "Accept: */*"}, listing...), 200, "", ""},
		{"accepting nothing said", list, append(header{"Accept:"}, listing...), 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var hs []string
			for _, line := range c.headers {
				if s := sessions[line]; s != "" {
					line = s
				}
				hs = append(hs, line)
			}
			before := len(h.refusals())
			r := h.post(t, c.body, hs...)
			e, failed := mcpwire.Field([]byte(r.body), "error")
			code, _ := mcpwire.Field(e, "code")
			id, _ := mcpwire.Field([]byte(r.body), "id")
			if r.StatusCode != c.status || string(code) != c.code || (failed && string(id) != c.id) {
				t.Errorf("POST %s\n= %d %s, want status %d, code %q, id %q", c.body, r.StatusCode, r.body, c.status, c.code, c.id)
			}
			if r.StatusCode >= 400 && len(h.refusals()) != before+1 && c.name != "a modern list without upstream" {
				t.Errorf("refusal left %d records, want 1: %v", len(h.refusals())-before, h.refusals()[before:])
			}
			if r.StatusCode == 401 && r.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

func TestMethodsAndPaths(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	there := h.session(t, "2025-11-25")
	for _, c := range []struct {
		method, path string
		headers      header
		status       int
	}{
		{"GET", "/mcp", nil, 405},
		{"GET", "/mcp", header{"MCP-Protocol-Version: 2026-07-28"}, 405},
		{"GET", "/mcp", header{s, "MCP-Protocol-Version: 2026-07-28"}, 405},
		{"GET", "/mcp", header{"Mcp-Session-Id: none"}, 404},
		{"GET", "/mcp", header{s, "MCP-Protocol-Version: 1999-01-01"}, 400},
		{"GET", "/mcp", header{s, "Accept:", "Accept: application/json"}, 406},
		{"GET", "/mcp", header{"Authorization:"}, 401},
		{"GET", "/mcp/files", header{s}, 404}, // the session belongs to another endpoint
		{"GET", "/mcp/nowhere", header{}, 404},
		{"DELETE", "/mcp", nil, 405},
		{"DELETE", "/mcp", header{"MCP-Protocol-Version: 2026-07-28"}, 405},
		{"DELETE", "/mcp", header{"Mcp-Session-Id: none"}, 404},
		{"DELETE", "/mcp", header{s, "Authorization:", "Authorization: Bearer " + keyOf("bob")}, 404},
		{"DELETE", "/mcp", header{there}, 204},
		{"DELETE", "/mcp", header{there}, 404},
		{"PUT", "/mcp", nil, 405},
		{"OPTIONS", "/mcp", header{"Authorization:"}, 204},
		{"POST", "/register", header{"Authorization:"}, 404},
		{"GET", "/.well-known/oauth-protected-resource", header{"Authorization:"}, 404},
		{"GET", "/.well-known/oauth-authorization-server/mcp", header{"Authorization:"}, 404},
		{"GET", "/", nil, 404},
		{"POST", "/mcp//", nil, 404},
		{"POST", "/mcp/a/b", nil, 404},
		{"POST", "/sse", nil, 405},
		{"GET", "/messages", nil, 405},
		{"POST", "/messages?sid=none", nil, 404},
	} {
		t.Run(c.method+" "+c.path+" "+strings.Join(c.headers, ","), func(t *testing.T) {
			r := h.do(t, c.method, c.path, "", c.headers...)
			if r.StatusCode != c.status {
				t.Errorf("= %d %s, want %d", r.StatusCode, r.body, c.status)
			}
			if r.StatusCode == 405 && r.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

// TestErrorTable goes through what the gateway can answer an admitted call.
func TestErrorTable(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	for code, want := range []struct {
		status int
		rpc    string
	}{{200, "-32603"}, {200, "-32602"}, {401, "401"}, {403, "403"}, {200, "-32602"}, {404, "404"}, {200, "-32600"}, {503, "503"}, {200, "-32603"}, {200, "-32603"}, {200, "-32603"}, {200, "-32603"}, {400, "-32020"}, {508, "508"}, {200, "-32603"}} {
		r := h.post(t, call("7", "fail:"+string(rune('0'+code%10))), s)
		if code >= 10 {
			r = h.post(t, call("7", "fail:1"+string(rune('0'+code%10))), s)
		}
		e, _ := mcpwire.Field([]byte(r.body), "error")
		rpc, _ := mcpwire.Field(e, "code")
		if r.StatusCode != want.status || string(rpc) != want.rpc {
			t.Errorf("code %d = %d %s, want %d %s", code, r.StatusCode, r.body, want.status, want.rpc)
		}
		if strings.Contains(r.body, "secret") {
			t.Errorf("code %d reveals its cause: %s", code, r.body)
		}
	}
}
