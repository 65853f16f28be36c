package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"durward"
)

// Connection is what a client needs to know of a gateway.
type Connection struct {
	// Name is what the client shall call the gateway; empty is "durward".
	Name string
	// URL is the endpoint, http://127.0.0.1:8080/mcp.
	URL string
	// Key is the agent's key.
	Key string
	// Stdio is the command that bridges stdio to the gateway, for clients that
	// cannot send a header; it finds the key by itself.
	Stdio []string
}

// Recipe is the way to connect one client.
type Recipe struct {
	Client Client `json:"client"`
	Title  string `json:"title"`
	// Do says what to do with Text: "Run" or "Add to FILE".
	Do   string `json:"do"`
	Text string `json:"text"`
	// Line is Text on one line, when Text has more.
	Line string `json:"line,omitempty"`
	// Note is one more sentence, if any.
	Note string `json:"note,omitempty"`
}

// Recipes lists the clients for which there is a recipe.
func Recipes() []Client { return append(Clients(), Curl) }

// NewRecipe returns the exact lines for a client. "claude" is Claude Code.
func NewRecipe(client string, c Connection) (Recipe, error) {
	if c.Name == "" {
		c.Name = "durward"
	}
	if len(c.Stdio) == 0 {
		c.Stdio = []string{"durward", "stdio"}
	}
	if client == "claude" {
		client = string(ClaudeCode)
	}
	if !slices.Contains(Recipes(), Client(client)) {
		return Recipe{}, fmt.Errorf("unknown client %q; %sknown are %s", client, meant(client), join(Recipes()))
	}
	r := recipe(Client(client), c)
	if strings.HasPrefix(r.Text, "{") {
		r.Line = oneLine(r.Text)
	}
	r.Client, r.Title = Client(client), Client(client).Title()
	return r, nil
}

func recipe(client Client, c Connection) Recipe {
	bearer := "Bearer " + c.Key
	auth := map[string]string{"Authorization": bearer}
	switch client {
	case ClaudeDesktop:
		return Recipe{
			Do:   "Add to claude_desktop_config.json (Settings > Developer > Edit Config), then restart Claude Desktop",
			Text: snippet("mcpServers", c.Name, server{Command: c.Stdio[0], Args: c.Stdio[1:]}),
			Note: "Claude Desktop cannot send a key to a URL, so it starts a bridge that reads the key from the data folder.",
		}
	case ClaudeCode:
		return Recipe{Do: "Run", Text: command("claude", "mcp", "add", "--scope", "user", "--transport", "http",
			c.Name, c.URL, "--header", "Authorization: "+bearer)}
	case Cursor:
		return Recipe{Do: "Add to ~/.cursor/mcp.json", Text: snippet("mcpServers", c.Name, server{URL: c.URL, Headers: auth})}
	case VSCode:
		return Recipe{Do: "Add to .vscode/mcp.json, or to the file that \"MCP: Open User Configuration\" opens",
			Text: snippet("servers", c.Name, server{Type: "http", URL: c.URL, Headers: auth})}
	case Windsurf:
		return Recipe{Do: "Add to ~/.codeium/windsurf/mcp_config.json", Text: snippet("mcpServers", c.Name, server{ServerURL: c.URL, Headers: auth})}
	case Gemini:
		return Recipe{Do: "Run", Text: command("gemini", "mcp", "add", "--scope", "user", "--transport", "http",
			"--header", "Authorization: "+bearer, c.Name, c.URL)}
	case Codex:
		return Recipe{Do: "Run", Text: "export DURWARD_KEY=" + quote(c.Key) + "\n" +
			command("codex", "mcp", "add", c.Name, "--url", c.URL, "--bearer-token-env-var", "DURWARD_KEY"),
			Note: "Codex reads the key from the environment each time it starts."}
	}
	return Recipe{Do: "Run", Text: curl(c)}
}

// curl lists the tools: on revision 2026-07-28 one POST is a whole conversation.
func curl(c Connection) string {
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	return strings.Join([]string{
		"curl -s " + quote(c.URL) + " \\",
		"  -H " + quote("Authorization: Bearer "+c.Key) + " \\",
		"  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\",
		"  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' \\",
		"  -d " + quote(body),
	}, "\n")
}

// server is a declaration as clients read it.
type server struct {
	Type      string            `json:"type,omitempty"`
	Command   string            `json:"command,omitempty"`
	Args      []string          `json:"args,omitempty"`
	URL       string            `json:"url,omitempty"`
	ServerURL string            `json:"serverUrl,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
}

func snippet(section, name string, s server) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(map[string]map[string]server{section: {name: s}}) // strings only: cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

// oneLine is JSON without the line breaks.
func oneLine(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

func command(words ...string) string {
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote writes a word for a POSIX shell.
func quote(w string) string {
	safe := w != "" && strings.IndexFunc(w, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:=@%+,", r)
	}) < 0
	if safe {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func join(clients []Client) string {
	words := make([]string, len(clients))
	for i, c := range clients {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

// meant is the client that a slip may stand for, as the beginning of a sentence.
func meant(slip string) string {
	var names []string
	for _, c := range Recipes() {
		names = append(names, string(c))
	}
	if near := durward.Closest(slip, names); near != "" {
		return "did you mean " + near + "? The "
	}
	return ""
}
