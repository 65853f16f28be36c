package mcpwire_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"durward/internal/mcpwire"
)

func TestClassifyTolerant(t *testing.T) {
	type h = http.Header
	const modern = "2026-07-28"
	call := request("tools/call", `"name":"a",`+triple(modern))
	bare := request("tools/call", `"name":"a"`)
	missing, wrong := mcpwire.FaultVersionMissing, mcpwire.FaultVersionWrong
	method, name := mcpwire.FaultMethodMissing, mcpwire.FaultNameMissing
	for what, tc := range map[string]struct {
		header h
		body   string
		faults []mcpwire.Fault
		code   int // 0 is served
	}{
		"nothing wrong":                    {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a"}}, call, nil, 0},
		"no headers":                       {h{}, call, []mcpwire.Fault{missing, method, name}, 0},
		"no headers, a name in Unicode":    {h{}, request("tools/call", `"name":"ä",`+triple(modern)), []mcpwire.Fault{missing, method, name}, 0},
		"no headers, a list":               {h{}, request("tools/list", triple(modern)), []mcpwire.Fault{missing, method}, 0},
		"an older version":                 {h{"Mcp-Protocol-Version": {"2025-11-25"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a"}}, call, []mcpwire.Fault{wrong}, 0},
		"a version that is none":           {h{"Mcp-Protocol-Version": {"latest"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a"}}, call, []mcpwire.Fault{wrong}, 0},
		"no method":                        {h{"Mcp-Protocol-Version": {modern}, "Mcp-Name": {"a"}}, call, []mcpwire.Fault{method}, 0},
		"an empty method":                  {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {""}, "Mcp-Name": {"a"}}, call, []mcpwire.Fault{method}, 0},
		"no name":                          {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}}, call, []mcpwire.Fault{name}, 0},
		"a newest header in a session":     {h{"Mcp-Protocol-Version": {modern}, "Mcp-Session-Id": {"s"}}, bare, []mcpwire.Fault{wrong}, 0},
		"a strange header in a session":    {h{"Mcp-Protocol-Version": {"1"}, "Mcp-Session-Id": {"s"}}, bare, []mcpwire.Fault{wrong}, 0},
		"a strange header in no session":   {h{"Mcp-Protocol-Version": {"1"}}, bare, nil, mcpwire.CodeInvalidRequest},
		"a modern header and no body":      {h{"Mcp-Protocol-Version": {modern}}, bare, nil, mcpwire.CodeInvalidParams},
		"two different versions":           {h{"Mcp-Protocol-Version": {modern, "2025-11-25"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a"}}, call, nil, mcpwire.CodeHeaderMismatch},
		"another method":                   {h{"Mcp-Method": {"tools/list"}}, call, nil, mcpwire.CodeHeaderMismatch},
		"two methods":                      {h{"Mcp-Method": {"tools/call", "tools/list"}}, call, nil, mcpwire.CodeHeaderMismatch},
		"another name":                     {h{"Mcp-Name": {"b"}}, call, nil, mcpwire.CodeHeaderMismatch},
		"an empty name":                    {h{"Mcp-Name": {""}}, call, nil, mcpwire.CodeHeaderMismatch},
		"two names":                        {h{"Mcp-Name": {"a", "b"}}, call, nil, mcpwire.CodeHeaderMismatch},
		"a future version in the body":     {h{}, request("tools/list", triple("2031-01-01")), nil, mcpwire.CodeHeaderMismatch},
		"an older version in the body":     {h{"Mcp-Protocol-Version": {modern}}, request("tools/list", triple("2025-11-25")), nil, mcpwire.CodeHeaderMismatch},
		"no capabilities":                  {h{}, request("tools/list", `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`), nil, mcpwire.CodeInvalidParams},
		"a member with an empty key":       {h{}, request("tools/list", `"":"x",`+triple(modern)), []mcpwire.Fault{missing, method}, 0},
		"a response":                       {h{"Mcp-Protocol-Version": {modern}}, `{"jsonrpc":"2.0","id":1,"result":{}}`, nil, mcpwire.CodeInvalidRequest},
		"a response in a session":          {h{"Mcp-Protocol-Version": {modern}, "Mcp-Session-Id": {"s"}}, `{"jsonrpc":"2.0","id":1,"result":{}}`, []mcpwire.Fault{wrong}, 0},
		"a version in the body that lacks": {h{}, request("tools/list", `"_meta":{"io.modelcontextprotocol/protocolVersion":1}`), nil, mcpwire.CodeInvalidParams},
	} {
		t.Run(what, func(t *testing.T) {
			m, err := mcpwire.Scan([]byte(tc.body), mcpwire.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			before := maps.Clone(tc.header)
			d, faults, bad := mcpwire.ClassifyTolerant(tc.header, &m)
			code := 0
			if bad != nil {
				code = bad.Err.Code
			}
			if code != tc.code || !slices.Equal(faults, tc.faults) {
				t.Errorf("ClassifyTolerant = %v, %v, %d; want %v, %d", d, faults, code, tc.faults, tc.code)
			}
			if strict, refusal := mcpwire.Classify(tc.header, &m); refusal == nil && (len(faults) > 0 || strict.Modern != d.Modern || strict.Revision != d.Revision) {
				t.Errorf("Classify = %v, ClassifyTolerant = %v with %v", strict, d, faults)
			}
			if !maps.EqualFunc(before, tc.header, slices.Equal) {
				t.Errorf("the header was changed to %v", tc.header)
			}
		})
	}
}
