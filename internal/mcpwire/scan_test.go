package mcpwire_test

import (
	"errors"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

func TestScanAccepts(t *testing.T) {
	for name, tc := range map[string]struct {
		raw    string
		kind   mcpwire.Kind
		method string
		id     string
	}{
		"a request":                      {`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, mcpwire.Request, "tools/list", `1`},
		"a request with id last":         {`{"method":"x","params":{},"jsonrpc":"2.0","id":"a"}`, mcpwire.Request, "x", `"a"`},
		"white space everywhere":         {" \t{\r\n\"jsonrpc\" : \"2.0\" , \"id\" :\t7 , \"method\" : \"x\" }\n", mcpwire.Request, "x", `7`},
		"a notification":                 {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, mcpwire.Notification, "notifications/initialized", ``},
		"an id over 2^53":                {`{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}`, mcpwire.Request, "x", `9007199254740993`},
		"a negative id":                  {`{"jsonrpc":"2.0","id":-1,"method":"x"}`, mcpwire.Request, "x", `-1`},
		"an empty string id":             {`{"jsonrpc":"2.0","id":"","method":"x"}`, mcpwire.Request, "x", `""`},
		"an escaped method":              {`{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll"}`, mcpwire.Request, "tools/call", `1`},
		"an escaped key":                 {`{"jsonrpc":"2.0","id":1,"m\u0065thod":"x"}`, mcpwire.Request, "x", `1`},
		"a result":                       {`{"jsonrpc":"2.0","id":1,"result":{}}`, mcpwire.Response, "", `1`},
		"an error":                       {`{"jsonrpc":"2.0","id":"q","error":{"code":-32601,"message":"no"}}`, mcpwire.Response, "", `"q"`},
		"an error with a null id":        {`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`, mcpwire.Response, "", ``},
		"an error without an id":         {`{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}}`, mcpwire.Response, "", ``},
		"deep duplicates in a result":    {`{"jsonrpc":"2.0","id":1,"result":{"a":{"b":1,"b":2}}}`, mcpwire.Response, "", `1`},
		"a cut emoji in a result":        {`{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"\ud83d"}]}}`, mcpwire.Response, "", `1`},
		"a surrogate pair":               {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\ud83d\ude00"}}`, mcpwire.Request, "x", `1`},
		"an unknown key in the envelope": {`{"jsonrpc":"2.0","id":1,"method":"x","extra":[1]}`, mcpwire.Request, "x", `1`},
		"case differs in arguments":      {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1,"A":2}}}`, mcpwire.Request, "x", `1`},
		"a case twin of no routed key":   {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"foo":1,"FOO":2}}`, mcpwire.Request, "x", `1`},
		"equal keys in sibling objects":  {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]}}`, mcpwire.Request, "x", `1`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mcpwire.Scan([]byte(tc.raw), mcpwire.Limits{})
			if err != nil {
				t.Fatalf("Scan(%s) = %v, want it accepted", tc.raw, err)
			}
			if m.Kind != tc.kind || m.Method != tc.method || string(m.ID) != tc.id {
				t.Errorf("Scan(%s) = %v %q id %s, want %v %q id %s", tc.raw, m.Kind, m.Method, m.ID, tc.kind, tc.method, tc.id)
			}
			if string(m.Raw) != strings.TrimSpace(tc.raw) {
				t.Errorf("Raw = %s, want %s", m.Raw, tc.raw)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	const parse, invalid, params = mcpwire.CodeParse, mcpwire.CodeInvalidRequest, mcpwire.CodeInvalidParams
	for name, tc := range map[string]struct {
		raw  string
		code int
		id   string
		says string
	}{
		"nothing":                          {``, parse, ``, "unexpected end"},
		"half a message":                   {`{"jsonrpc":"2.0","id":1,"method":"x`, parse, `1`, "unexpected end"},
		"a byte order mark":                {"\ufeff" + `{"jsonrpc":"2.0","id":1,"method":"x"}`, parse, ``, "unexpected character"},
		"two messages":                     {`{"jsonrpc":"2.0","id":1,"method":"x"}{}`, parse, `1`, "data after"},
		"a trailing comma":                 {`{"jsonrpc":"2.0","id":1,"method":"x",}`, parse, `1`, "expected a key"},
		"a comma too many in an array":     {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1,]}}`, parse, `1`, "unexpected character"},
		"a comment":                        {`{"jsonrpc":"2.0",/**/"id":1,"method":"x"}`, parse, ``, "expected a key"},
		"single quotes":                    {`{'jsonrpc':'2.0'}`, parse, ``, "expected a key"},
		"a leading zero":                   {`{"jsonrpc":"2.0","id":01,"method":"x"}`, parse, ``, "malformed number"},
		"a plus sign":                      {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":+1}}`, parse, `1`, "unexpected character"},
		"a bare point":                     {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1.}}`, parse, `1`, "malformed number"},
		"a bare exponent":                  {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1e}}`, parse, `1`, "malformed number"},
		"a bare minus":                     {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":-}}`, parse, `1`, "malformed number"},
		"NaN":                              {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}`, parse, `1`, "unexpected character"},
		"a literal cut short":              {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":tru}}`, parse, `1`, "unexpected character"},
		"a newline in a string":            {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\ny\"}", parse, `1`, "control character"},
		"a NUL in a string":                {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\x00\"}", parse, `1`, "control character"},
		"a NUL between tokens":             {"{\"jsonrpc\":\"2.0\",\x00\"id\":1,\"method\":\"x\"}", parse, ``, "expected a key"},
		"an unknown escape":                {`{"jsonrpc":"2.0","id":1,"method":"\x41"}`, parse, `1`, "malformed escape"},
		"a short unicode escape":           {`{"jsonrpc":"2.0","id":1,"method":"\u12"}`, parse, `1`, "malformed escape"},
		"invalid UTF-8":                    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\xff\"}", parse, `1`, "invalid UTF-8"},
		"overlong UTF-8":                   {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc0\xaf\"}", parse, `1`, "invalid UTF-8"},
		"a surrogate in UTF-8":             {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xed\xa0\x80\"}", parse, `1`, "invalid UTF-8"},
		"a form feed between tokens":       {"{\"jsonrpc\":\"2.0\",\f\"id\":1}", parse, ``, "expected a key"},
		"a batch":                          {`[{"jsonrpc":"2.0","id":1,"method":"x"}]`, invalid, ``, "batch"},
		"a bare string":                    {`"x"`, invalid, ``, "not an object"},
		"a bare broken literal":            {`nul`, parse, ``, "unexpected character"},
		"an empty object":                  {`{}`, invalid, ``, "jsonrpc"},
		"no jsonrpc":                       {`{"id":1,"method":"x"}`, invalid, `1`, "jsonrpc"},
		"jsonrpc 1.0":                      {`{"jsonrpc":"1.0","id":1,"method":"x"}`, invalid, `1`, "jsonrpc"},
		"jsonrpc as a number":              {`{"jsonrpc":2.0,"id":1,"method":"x"}`, invalid, `1`, "jsonrpc"},
		"a null id":                        {`{"jsonrpc":"2.0","id":null,"method":"x"}`, invalid, ``, "id is not"},
		"a fractional id":                  {`{"jsonrpc":"2.0","id":1.5,"method":"x"}`, invalid, ``, "id is not"},
		"an id with an exponent":           {`{"jsonrpc":"2.0","id":1e3,"method":"x"}`, invalid, ``, "id is not"},
		"an object as id":                  {`{"jsonrpc":"2.0","id":{},"method":"x"}`, invalid, ``, "id is not"},
		"an array as id":                   {`{"jsonrpc":"2.0","id":[1],"method":"x"}`, invalid, ``, "id is not"},
		"true as id":                       {`{"jsonrpc":"2.0","id":true,"method":"x"}`, invalid, ``, "id is not"},
		"an id of 2 KiB":                   {`{"jsonrpc":"2.0","id":"` + strings.Repeat("a", 2048) + `","method":"x"}`, invalid, ``, "id is not"},
		"a null method":                    {`{"jsonrpc":"2.0","id":1,"method":null}`, invalid, `1`, "method is not a string"},
		"a number as method":               {`{"jsonrpc":"2.0","id":1,"method":5}`, invalid, `1`, "method is not a string"},
		"no method":                        {`{"jsonrpc":"2.0","id":1}`, invalid, `1`, "method is missing"},
		"no method but params":             {`{"jsonrpc":"2.0","id":1,"params":{}}`, invalid, `1`, "method is missing"},
		"params as an array":               {`{"jsonrpc":"2.0","id":1,"method":"x","params":[]}`, params, `1`, "params is not an object"},
		"params null":                      {`{"jsonrpc":"2.0","id":1,"method":"x","params":null}`, params, `1`, "params is not an object"},
		"a method and a result":            {`{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`, invalid, `1`, "result or error"},
		"a result and an error":            {`{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, invalid, `1`, "both"},
		"a result that is no object":       {`{"jsonrpc":"2.0","id":1,"result":[]}`, invalid, `1`, "result is not"},
		"a null result":                    {`{"jsonrpc":"2.0","id":1,"result":null}`, invalid, `1`, "result is not"},
		"an error that is no object":       {`{"jsonrpc":"2.0","id":1,"error":"x"}`, invalid, `1`, "error is not"},
		"a result without an id":           {`{"jsonrpc":"2.0","result":{}}`, invalid, ``, "id is not"},
		"a result with a null id":          {`{"jsonrpc":"2.0","id":null,"result":{}}`, invalid, ``, "id is not"},
		"two ids":                          {`{"jsonrpc":"2.0","id":1,"method":"x","id":2}`, invalid, ``, `duplicate key "id"`},
		"two methods":                      {`{"jsonrpc":"2.0","method":"a","method":"b","id":1}`, invalid, `1`, `duplicate key "method"`},
		"two methods, one escaped":         {`{"jsonrpc":"2.0","method":"a","m\u0065thod":"b","id":1}`, invalid, `1`, `duplicate key "method"`},
		"two names":                        {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","name":"evil"}}`, invalid, `1`, `duplicate key "name"`},
		"a duplicate deep in arguments":    {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":[{"b":{"c":1,"c":2}}]}}}`, invalid, `1`, `duplicate key "c"`},
		"a duplicate in an unknown member": {`{"jsonrpc":"2.0","id":1,"method":"x","extra":{"a":1,"a":1}}`, invalid, `1`, `duplicate key "a"`},
		"METHOD besides method":            {`{"jsonrpc":"2.0","id":1,"method":"a","METHOD":"b"}`, invalid, `1`, "only in case"},
		"Method alone":                     {`{"jsonrpc":"2.0","id":1,"Method":"b"}`, invalid, `1`, "only in case"},
		"Name besides name":                {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}`, invalid, `1`, "only in case"},
		"NAME alone":                       {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"b"}}`, invalid, `1`, "only in case"},
		"an escaped NAME":                  {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"\u004e\u0061me":"b"}}`, invalid, `1`, "only in case"},
		"argumentſ with a long s":          {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"argumentſ":{}}}`, invalid, `1`, "only in case"},
		"toKen with a Kelvin sign":         {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressTo` + "\u212a" + `en":1}}}`, invalid, `1`, "only in case"},
		"_META":                            {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_META":{}}}`, invalid, `1`, "only in case"},
		"a meta key in capitals":           {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"IO.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, invalid, `1`, "only in case"},
		"Uri in a ref":                     {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","Uri":"x"}}}`, invalid, `1`, "only in case"},
		"Result besides result":            {`{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}`, invalid, `1`, "only in case"},
		"a duplicate at the top of result": {`{"jsonrpc":"2.0","id":1,"result":{"content":[],"content":[]}}`, invalid, `1`, `duplicate key "content"`},
		"Content besides content":          {`{"jsonrpc":"2.0","id":1,"result":{"content":[],"Content":[]}}`, invalid, `1`, "only in case"},
		"a duplicate in an error":          {`{"jsonrpc":"2.0","id":1,"error":{"code":1,"code":2}}`, invalid, `1`, `duplicate key "code"`},
		"a lone high surrogate":            {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\ud800"}}`, invalid, `1`, "lone surrogate"},
		"a lone low surrogate":             {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\udc00x"}}`, invalid, `1`, "lone surrogate"},
		"a reversed pair":                  {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\ude00\ud83d"}}`, invalid, `1`, "lone surrogate"},
		"a lone surrogate in a key":        {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"\ud800":1}}`, invalid, `1`, "lone surrogate"},
		"too deep":                         {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`, invalid, `1`, "nested deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mcpwire.Scan([]byte(tc.raw), mcpwire.Limits{})
			var e *mcpwire.ScanError
			if !errors.As(err, &e) {
				t.Fatalf("Scan(%s) = %v, want a ScanError", tc.raw, err)
			}
			if e.RPCCode != tc.code || string(e.ID) != tc.id || !strings.Contains(e.Reason, tc.says) {
				t.Errorf("Scan(%s) = %d %q id %s, want %d with %q id %s", tc.raw, e.RPCCode, e.Reason, e.ID, tc.code, tc.says, tc.id)
			}
			if e.Offset < 0 || e.Offset > len(tc.raw) {
				t.Errorf("offset %d is outside of %d bytes", e.Offset, len(tc.raw))
			}
		})
	}
}

func TestScanRefusesWhatIsTooLarge(t *testing.T) {
	raw := []byte(`{"jsonrpc":"2.0","id":1,"method":"x"}`)
	if _, err := mcpwire.Scan(raw, mcpwire.Limits{Bytes: len(raw)}); err != nil {
		t.Errorf("a message of exactly the limit is refused: %v", err)
	}
	if _, err := mcpwire.Scan(raw, mcpwire.Limits{Bytes: len(raw) - 1}); err == nil {
		t.Error("a message one byte over the limit is accepted")
	}
}
