package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"durward/internal/durwardtest"
)

// plugin is a server of 2026-07-28 with what the reference servers have little
// of: icons, an app, structured content that is no object, arguments that
// travel as headers. It remembers what it was asked.
type plugin struct {
	mu   sync.Mutex
	seen []string // method, Mcp-Param-Region, and params without _meta; guarded by mu
}

const (
	showTool = `{"name":"show","title":"Show","description":"Shows.","icons":[{"src":"https://x.example/i.png","sizes":["48x48"],"theme":"dark"}],` +
		`"inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"number"}}},` +
		`"outputSchema":{"type":"array","items":{"type":"integer"}},"_meta":{"ui":{"resourceUri":"ui://plugin/page","visibility":["model"]}},"x-vendor":1.0}`
	brokenTool = `{"name":"broken","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"}}}}`
	showResult = `{"resultType":"complete","content":[],"structuredContent":[1,2.0,12345678901234567890],"_meta":{"ui":{"a":1.0}}}`
	pageResult = `{"resultType":"complete","contents":[{"uri":"ui://plugin/page","mimeType":"text/html;profile=mcp-app","text":"<p>","_meta":{"ui":{"csp":{"connectDomains":["https://x.example"]},"permissions":{}}}}],"ttlMs":5,"cacheScope":"private"}`
	fullResult = `{"resultType":"complete","completion":{"values":["a"],"total":1,"hasMore":false}}`
)

func (p *plugin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct {
		ID     json.RawMessage
		Method string
		Params map[string]json.RawMessage
	}
	_ = json.Unmarshal(body, &m)
	result := map[string]string{
		"server/discover": `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{},"prompts":{},"completions":{},"extensions":{"io.modelcontextprotocol/ui":{}}},"ttlMs":60000,"cacheScope":"private"}`,
		"tools/list":      `{"resultType":"complete","tools":[` + showTool + `,` + brokenTool + `],"ttlMs":60000,"cacheScope":"private"}`,
		"resources/list":  `{"resultType":"complete","resources":[],"ttlMs":60000,"cacheScope":"private"}`,
		"prompts/list":    `{"resultType":"complete","prompts":[{"name":"p","icons":[{"src":"data:,x"}],"arguments":[{"name":"a"},{"name":"b"}]}],"ttlMs":60000,"cacheScope":"private"}`,
		"tools/call":      showResult, "resources/read": pageResult, "completion/complete": fullResult,
	}[m.Method]
	delete(m.Params, "_meta")
	params, _ := json.Marshal(m.Params)
	p.mu.Lock()
	p.seen = append(p.seen, m.Method+" "+r.Header.Get("Mcp-Param-Region")+" "+string(params))
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if result == "" {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}`, m.ID)
		return
	}
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// saw checks that some request began so: the gateway reads lists meanwhile.
func (p *plugin) saw(t *testing.T, want string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.seen, func(got string) bool { return strings.HasPrefix(got, want) }) {
		t.Errorf("the server saw %q, want %s among it", p.seen, want)
	}
}

func newPlugin(t *testing.T) (*plugin, *durwardtest.Gateway) {
	t.Helper()
	p := &plugin{}
	s := httptest.NewServer(p)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	g := durwardtest.Serve(t, fmt.Sprintf("plug: {url: %q, prefix: none}\nquite: {url: %q}", s.URL, s.URL), "")
	g.Offered(t)
	return p, g
}

// What servers say of their tools and what tools answer passes as it is within
// an era, and to older clients as far as their revision has it.
func TestExtensionsPass(t *testing.T) {
	p, g := newPlugin(t)
	c := durwardtest.Caller{URL: g.Endpoint("plug"), Key: durwardtest.Key}
	ask := func(method, name, params string) durwardtest.Answer {
		body, header := durwardtest.Modern("1", method, name, params)
		return c.Post(t, body, header)
	}
	says := func(what string, a durwardtest.Answer, want string) {
		t.Helper()
		if !strings.Contains(a.Body, want) {
			t.Errorf("%s = %v, want %s in it", what, a, want)
		}
	}
	tools := ask("tools/list", "", "{}")
	says("tools/list", tools, showTool)
	if strings.Contains(tools.Body, "broken") {
		t.Errorf("tools/list = %v, want no tool with an annotation that is not valid", tools)
	}
	says("server/discover", ask("server/discover", "", "{}"), `"extensions":{"io.modelcontextprotocol/ui":{}}`)
	says("resources/read", ask("resources/read", "ui://plugin/page", `{"uri":"ui://plugin/page"}`), pageResult)
	says("completion/complete", ask("completion/complete", "", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"x"},"context":{"arguments":{"b":"y"}}}`), fullResult)
	p.saw(t, `completion/complete  {"argument":{"name":"a","value":"x"},"context":{"arguments":{"b":"y"}},"ref":{"type":"ref/prompt","name":"p"}}`)

	old := c.Open(t, "2025-06-18")
	list := old.Post(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if strings.Contains(list.Body, "outputSchema") || !strings.Contains(list.Body, `"resourceUri":"ui://plugin/page"`) || !strings.Contains(list.Body, `"icons"`) {
		t.Errorf("tools/list of 2025-06-18 = %v, want all but the schema that its clients refuse", list)
	}
	said := old.Call(t, "show", `{"region":"eu"}`)
	if text, _ := said.Text(); text != "[1,2.0,12345678901234567890]" || strings.Contains(said.Body, "structuredContent") {
		t.Errorf("show of 2025-06-18 = %v, want what is structured as text", said)
	}
	p.saw(t, "tools/call eu ") // the older client does not know of the header
}

// A header must say what the body says, and the server gets it of the gateway's making.
func TestHeadersOfArguments(t *testing.T) {
	p, g := newPlugin(t)
	c := durwardtest.Caller{URL: g.Endpoint("plug"), Key: durwardtest.Key}
	call := func(region string, header map[string]string) durwardtest.Answer {
		body, h := durwardtest.Modern("1", "tools/call", "show", fmt.Sprintf(`{"name":"show","arguments":{"region":%q}}`, region))
		for k, v := range header {
			h[k] = v
		}
		return c.Post(t, body, h)
	}
	if a := call("Zürich", map[string]string{"Mcp-Param-Region": "=?base64?WsO8cmljaA==?="}); !strings.Contains(a.Body, showResult) {
		t.Errorf("a call with its header = %v, want the result as the server wrote it", a)
	}
	p.saw(t, "tools/call =?base64?WsO8cmljaA==?= ")
	for what, header := range map[string]map[string]string{"no header": nil, "another value": {"Mcp-Param-Region": "us"}, "no encoding": {"Mcp-Param-Region": "=?base64?!?="}} {
		if a := call("eu", header); a.Status != http.StatusBadRequest || a.Code() != -32020 {
			t.Errorf("%s = %v, want 400 and -32020", what, a)
		}
	}
}

// The same page of two servers is two pages.
func TestPagesOfTwoServers(t *testing.T) {
	_, g := newPlugin(t)
	c := durwardtest.Caller{URL: g.Endpoint(), Key: durwardtest.Key}
	body, header := durwardtest.Modern("1", "tools/list", "", "{}")
	list := c.Post(t, body, header)
	for _, want := range []string{`"name":"quite__show"`, `"resourceUri":"ui://plugin/page"`, `"resourceUri":"ui://quite/plugin/page"`} {
		if !strings.Contains(list.Body, want) {
			t.Errorf("tools/list = %v, want %s in it", list, want)
		}
	}
	for _, uri := range []string{"ui://plugin/page", "ui://quite/plugin/page"} {
		body, header := durwardtest.Modern("1", "resources/read", uri, fmt.Sprintf(`{"uri":%q}`, uri))
		if a := c.Post(t, body, header); !strings.Contains(a.Body, fmt.Sprintf(`"contents":[{"uri":%q`, uri)) {
			t.Errorf("resources/read of %s = %v", uri, a)
		}
	}
}
