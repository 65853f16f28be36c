package mcpwire_test

import (
	"net/http"
	"testing"

	"durward/internal/mcpwire"
)

// triple is the _meta of a modern request.
func triple(version string) string {
	return `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version + `","io.modelcontextprotocol/clientCapabilities":{}}`
}

func request(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
}

func TestClassify(t *testing.T) {
	type h = http.Header
	call := func(version string) string { return request("tools/call", `"name":"a",`+triple(version)) }
	head := func(version, method, name string) h {
		return h{"Mcp-Protocol-Version": {version}, "Mcp-Method": {method}, "Mcp-Name": {name}}
	}
	const modern = "2026-07-28"
	for name, tc := range map[string]struct {
		header   h
		body     string
		modern   bool
		revision string
		status   int // 0 is not refused
		code     int
	}{
		"modern call":                     {head(modern, "tools/call", "a"), call(modern), true, modern, 0, 0},
		"modern call, padded name":        {head(modern, "tools/call", " a "), call(modern), true, modern, 0, 0},
		"modern call, encoded name":       {head(modern, "tools/call", "=?base64?YQ==?="), call(modern), true, modern, 0, 0},
		"modern call, session ignored":    {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a"}, "Mcp-Session-Id": {"x"}}, call(modern), true, modern, 0, 0},
		"modern list needs no name":       {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/list"}}, request("tools/list", triple(modern)), true, modern, 0, 0},
		"modern initialize":               {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"initialize"}}, request("initialize", triple(modern)), true, modern, 0, 0},
		"modern task by id":               {head(modern, "tasks/get", "t1"), request("tasks/get", `"taskId":"t1",`+triple(modern)), true, modern, 0, 0},
		"modern notification":             {h{"Mcp-Protocol-Version": {modern}}, `{"jsonrpc":"2.0","method":"notifications/x"}`, true, modern, 0, 0},
		"no header":                       {h{}, call(modern), true, "", 400, mcpwire.CodeHeaderMismatch},
		"no version in _meta":             {head(modern, "tools/call", "a"), request("tools/call", `"name":"a"`), true, modern, 400, mcpwire.CodeInvalidParams},
		"header and body disagree":        {head(modern, "tools/call", "a"), call("2027-01-01"), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"legacy header, modern body":      {head("2025-11-25", "tools/call", "a"), call(modern), true, "2025-11-25", 400, mcpwire.CodeHeaderMismatch},
		"modern header, legacy body":      {head(modern, "tools/call", "a"), call("2025-11-25"), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"a future revision":               {head("2027-01-01", "tools/call", "a"), call("2027-01-01"), true, "2027-01-01", 400, mcpwire.CodeUnsupportedVersion},
		"a revision that is no date":      {head("v999.0.0", "tools/call", "a"), call("v999.0.0"), true, "v999.0.0", 400, mcpwire.CodeUnsupportedVersion},
		"two different version headers":   {h{"Mcp-Protocol-Version": {modern, "2025-11-25"}}, call(modern), true, "", 400, mcpwire.CodeHeaderMismatch},
		"method header missing":           {h{"Mcp-Protocol-Version": {modern}, "Mcp-Name": {"a"}}, call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"method header disagrees":         {head(modern, "tools/list", "a"), call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"method header in capitals":       {head(modern, "Tools/Call", "a"), call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"name header missing":             {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}}, call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"name header disagrees":           {head(modern, "tools/call", "b"), call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"name header without a body name": {head(modern, "tools/call", "a"), request("tools/call", triple(modern)), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"two different name headers":      {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"a", "b"}}, call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"name header with broken base64":  {head(modern, "tools/call", "=?base64?*?="), call(modern), true, modern, 400, mcpwire.CodeHeaderMismatch},
		"no capabilities":                 {h{"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/list"}}, request("tools/list", `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`), true, modern, 400, mcpwire.CodeInvalidParams},
		"version in _meta is a number":    {h{"Mcp-Protocol-Version": {modern}}, request("tools/list", `"_meta":{"io.modelcontextprotocol/protocolVersion":1}`), true, "", 400, mcpwire.CodeInvalidParams},
		"a name that is a number":         {head(modern, "tools/call", "1"), request("tools/call", `"name":1,`+triple(modern)), true, "", 400, mcpwire.CodeInvalidParams},
		"the same without headers":        {h{}, request("tools/call", `"name":1,`+triple(modern)), true, "", 400, mcpwire.CodeHeaderMismatch},
		"a response":                      {h{"Mcp-Protocol-Version": {modern}}, `{"jsonrpc":"2.0","id":1,"result":{}}`, true, "", 400, mcpwire.CodeInvalidRequest},

		"legacy initialize":                       {h{}, request("initialize", `"protocolVersion":"2025-11-25"`), false, "", 0, 0},
		"legacy initialize with a newest header":  {h{"Mcp-Protocol-Version": {modern}}, request("initialize", `"protocolVersion":"2025-11-25"`), false, "", 0, 0},
		"legacy initialize with a strange header": {h{"Mcp-Protocol-Version": {"2025-01-01"}}, request("initialize", ``), false, "", 0, 0},
		"legacy call without a header":            {h{}, request("tools/call", `"name":"a"`), false, "", 0, 0},
		"legacy call":                             {h{"Mcp-Protocol-Version": {"2025-06-18"}}, request("tools/call", `"name":"a"`), false, "2025-06-18", 0, 0},
		"legacy version in _meta":                 {h{"Mcp-Protocol-Version": {"2025-06-18"}}, call("2025-06-18"), false, "2025-06-18", 0, 0},
		"legacy response":                         {h{"Mcp-Protocol-Version": {"2025-06-18"}}, `{"jsonrpc":"2.0","id":"gw-1","result":{}}`, false, "2025-06-18", 0, 0},
		"an unknown legacy header":                {h{"Mcp-Protocol-Version": {"2025-01-01"}}, request("tools/list", ``), false, "", 400, mcpwire.CodeInvalidRequest},
		"a header that is no revision":            {h{"Mcp-Protocol-Version": {"nonsense"}}, request("tools/list", ``), false, "", 400, mcpwire.CodeInvalidRequest},
		"legacy name of the wrong type":           {h{}, request("tools/call", `"name":{}`), false, "", 200, mcpwire.CodeInvalidParams},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mcpwire.Scan([]byte(tc.body), mcpwire.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			d, refusal := mcpwire.Classify(tc.header, &m)
			if d.Modern != tc.modern || d.Revision != tc.revision {
				t.Errorf("modern %v revision %q, want %v %q", d.Modern, d.Revision, tc.modern, tc.revision)
			}
			switch {
			case refusal == nil && tc.status != 0:
				t.Errorf("not refused, want %d %d", tc.status, tc.code)
			case refusal != nil && (refusal.Status != tc.status || refusal.Err.Code != tc.code):
				t.Errorf("refused with %d %v, want %d %d", refusal.Status, refusal.Err, tc.status, tc.code)
			}
		})
	}
}

func TestClassifyStdio(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		modern bool
		code   int
	}{
		"modern":                {request("tools/list", triple("2026-07-28")), true, 0},
		"legacy":                {request("tools/list", ``), false, 0},
		"legacy initialize":     {request("initialize", `"protocolVersion":"2025-11-25"`), false, 0},
		"a future revision":     {request("tools/list", triple("2027-01-01")), true, mcpwire.CodeUnsupportedVersion},
		"no capabilities":       {request("tools/list", `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`), true, mcpwire.CodeInvalidParams},
		"a cancellation":        {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, false, 0},
		"meta is not an object": {request("tools/list", `"_meta":[]`), false, mcpwire.CodeInvalidParams},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mcpwire.Scan([]byte(tc.body), mcpwire.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			d, refusal := mcpwire.ClassifyStdio(&m)
			code := 0
			if refusal != nil {
				code = refusal.Err.Code
			}
			if d.Modern != tc.modern || code != tc.code {
				t.Errorf("modern %v code %d, want %v %d", d.Modern, code, tc.modern, tc.code)
			}
		})
	}
}

func TestRevisions(t *testing.T) {
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-11-25": "2025-11-25", "2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25", "": "2025-11-25",
	} {
		if got := mcpwire.Negotiate(asked); got != want {
			t.Errorf("Negotiate(%q) = %s, want %s", asked, got, want)
		}
	}
	for v, want := range map[string]bool{"2026-07-28": true, "2026-07-29": true, "2025-11-25": false, "9": false, "zzzz-zz-zz": false, "": false} {
		if got := mcpwire.Modern(v); got != want {
			t.Errorf("Modern(%q) = %v, want %v", v, got, want)
		}
	}
	for _, v := range mcpwire.Supported() {
		if !mcpwire.KnownLegacy(v) && v != mcpwire.NewestModern {
			t.Errorf("%s is supported but not known", v)
		}
	}
}
