package inventory_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"durward"
	"durward/internal/inventory"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func connection() inventory.Connection {
	return inventory.Connection{
		URL: "http://127.0.0.1:8080/mcp", Key: "dwk_example",
		Stdio: []string{"/opt/durward", "stdio", "--data", "/srv/durward data", "--agent", "first"},
	}
}

func TestRecipes(t *testing.T) {
	for _, client := range inventory.Recipes() {
		t.Run(string(client), func(t *testing.T) {
			r, err := inventory.NewRecipe(string(client), connection())
			if err != nil {
				t.Fatal(err)
			}
			got := r.Title + "\n" + r.Do + ":\n" + r.Text + "\n" + r.Note + "\n"
			golden := filepath.Join("testdata", "recipes", string(client)+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got {
				t.Errorf("recipe is\n%s\nwant\n%s (%v)", got, want, err)
			}
		})
	}
}

// What we tell people to add is understood by our own reader, with the key in it.
func TestRecipesAreReadBack(t *testing.T) {
	for client, file := range map[inventory.Client]string{
		inventory.Cursor: ".cursor/mcp.json", inventory.VSCode: ".config/Code/User/mcp.json", inventory.Windsurf: ".codeium/windsurf/mcp_config.json",
	} {
		c := connection()
		c.Key = "an-operators-own" // one that we minted is known by its prefix, and left out
		r, err := inventory.NewRecipe(string(client), c)
		if err != nil {
			t.Fatal(err)
		}
		o := home(t, map[string]string{file: r.Text})
		o.Self = nil
		got := byName(t, inventory.Find(o))["durward"]
		if got.URL != "http://127.0.0.1:8080/mcp" || got.Headers["Authorization"] != "Bearer an-operators-own" {
			t.Errorf("%s: read back as %+v", client, got)
		}
	}
}

func TestRecipeOfAnUnknownClient(t *testing.T) {
	if _, err := inventory.NewRecipe("emacs", connection()); err == nil || !strings.Contains(err.Error(), "claude-code") {
		t.Errorf("err = %v, want the known clients", err)
	}
	if r, err := inventory.NewRecipe("claude", inventory.Connection{}); err != nil || r.Client != inventory.ClaudeCode {
		t.Errorf("claude = %+v, %v; want Claude Code", r, err)
	}
}

func TestShellWordsAreQuoted(t *testing.T) {
	c := connection()
	c.Key = "it's; rm -rf $HOME"
	r, err := inventory.NewRecipe("claude-code", c)
	if err != nil || !strings.Contains(r.Text, `'Authorization: Bearer it'\''s; rm -rf $HOME'`) {
		t.Errorf("text = %s, %v", r.Text, err)
	}
	r, err = inventory.NewRecipe("cursor", c)
	if err != nil || !json.Valid([]byte(r.Text)) {
		t.Errorf("text = %s, %v; want JSON", r.Text, err)
	}
}

func TestDescribeHidesSecrets(t *testing.T) {
	for want, u := range map[string]durward.Upstream{
		"npx -y @modelcontextprotocol/server-filesystem /srv/docs": {Command: "npx", Args: []string{"-y", "@modelcontextprotocol/server-filesystem", "/srv/docs"}, Env: map[string]string{"K": "v"}},
		"srv --api-key *** --port 80":                              {Command: "srv", Args: []string{"--api-key", "hunter2", "--port", "80"}},
		"srv --token=*** ***":                                      {Command: "srv", Args: []string{"--token=hunter2", "ghp_abcdefghij0123456789"}},
		"npx mcp-remote https://x.example/sse?*** --header ***":    {Command: "npx", Args: []string{"mcp-remote", "https://u:p@x.example/sse?key=1", "--header", "Authorization: Bearer abc"}},
		"https://x.example/mcp?***":                                {URL: "https://x.example/mcp?token=abc"},
		"srv a?[31mred":                                            {Command: "srv", Args: []string{"a\x1b[31mred"}},
	} {
		if got := inventory.Describe(u); got != want {
			t.Errorf("Describe = %q, want %q", got, want)
		}
	}
	if got := inventory.Describe(durward.Upstream{Command: "x", Args: []string{strings.Repeat("é/", 300)}}); len(got) > 210 {
		t.Errorf("Describe gives %d bytes", len(got))
	}
}
