package inventory_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/inventory"
)

// home writes files below a fresh home folder and returns options to look there.
func home(t *testing.T, files map[string]string) inventory.Options {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	env := map[string]string{"TOKEN": "s3cret", "EMPTY": ""}
	return inventory.Options{Home: dir, Self: []string{"127.0.0.1:8080"}, Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, body := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// byName lists what was proposed, and fails when a proposal could not be declared.
func byName(t *testing.T, r inventory.Result) map[string]durward.Upstream {
	t.Helper()
	all := map[string]durward.Upstream{}
	for _, p := range r.Proposals {
		if f := p.Upstream.Faults(); len(f) > 0 {
			t.Errorf("proposal %s has faults: %v", p.Upstream.Name, f)
		}
		all[p.Upstream.Name] = p.Upstream
	}
	return all
}

func want(t *testing.T, r inventory.Result, upstreams ...durward.Upstream) {
	t.Helper()
	got := byName(t, r)
	for _, w := range upstreams {
		if g, ok := got[w.Name]; !ok || !reflect.DeepEqual(g, w) {
			t.Errorf("proposal %s = %+v, want %+v", w.Name, g, w)
		}
		delete(got, w.Name)
	}
	if len(got) > 0 {
		t.Errorf("proposed besides: %v", slices.Sorted(maps.Keys(got)))
	}
}

func noted(t *testing.T, r inventory.Result, parts ...string) {
	t.Helper()
	for _, n := range r.Notes {
		if line := n.String(); !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) }) {
			return
		}
	}
	t.Errorf("no note with %q among %v", parts, r.Notes)
}

func TestFindReadsEveryClient(t *testing.T) {
	npx := func(name, pkg string) durward.Upstream {
		return durward.Upstream{Name: name, Command: "npx", Args: []string{"-y", pkg}}
	}
	declared := func(section, name, pkg string) string {
		return `{"` + section + `": {"` + name + `": {"command": "npx", "args": ["-y", "` + pkg + `"]}}}`
	}
	o := home(t, map[string]string{
		".config/Claude/claude_desktop_config.json":                     declared("mcpServers", "linux", "a"),
		"Library/Application Support/Claude/claude_desktop_config.json": declared("mcpServers", "mac", "b"),
		"AppData/Roaming/Claude/claude_desktop_config.json":             declared("mcpServers", "win", "c"),
		".claude.json":                                        declared("mcpServers", "code", "d"),
		".cursor/mcp.json":                                    declared("mcpServers", "cursor", "e"),
		".config/Code/User/mcp.json":                          declared("servers", "vscode", "f"),
		".config/Code/User/profiles/x1/mcp.json":              declared("servers", "profile", "g"),
		"Library/Application Support/Code/User/settings.json": `{"mcp": ` + declared("servers", "settings", "h") + `}`,
		".config/Code - Insiders/User/mcp.json":               declared("servers", "insiders", "i"),
		".codeium/windsurf/mcp_config.json":                   declared("mcpServers", "windsurf", "j"),
		".gemini/settings.json":                               declared("mcpServers", "gemini", "k"),
		".codex/config.toml":                                  "model = \"x\"\n[mcp_servers.codex]\ncommand = \"npx\"\nargs = [\"-y\", \"l\"]\n",
	})
	r := inventory.Find(o)
	want(t, r, npx("linux", "a"), npx("mac", "b"), npx("win", "c"), npx("code", "d"), npx("cursor", "e"), npx("vscode", "f"),
		npx("profile", "g"), npx("settings", "h"), npx("insiders", "i"), npx("windsurf", "j"), npx("gemini", "k"), npx("codex", "l"))
	if len(r.Files) != 12 || len(r.Notes) != 0 {
		t.Errorf("files %v, notes %v", r.Files, r.Notes)
	}
}

func TestFindReadsTheProjectFolder(t *testing.T) {
	o := home(t, map[string]string{".claude.json": `{"projects": {}}`})
	o.Dir = t.TempDir()
	write(t, o.Dir, map[string]string{
		".mcp.json":             `{"mcpServers": {"a": {"command": "./server"}}}`,
		".cursor/mcp.json":      `{"mcpServers": {"b": {"command": "${workspaceFolder}/bin/b", "args": ["${userHome}"]}}}`,
		".vscode/mcp.json":      `{"servers": {"c": {"type": "stdio", "command": "python", "args": ["tool.py"]}}}`,
		".gemini/settings.json": `{"mcpServers": {"d": {"command": "d", "cwd": "sub"}}}`,
		".codex/config.toml":    "[mcp_servers.e]\ncommand = \"e\"\ncwd = \"/srv\"\n",
		"tool.py":               "",
	})
	want(t, inventory.Find(o),
		durward.Upstream{Name: "a", Command: "./server", Dir: o.Dir},
		durward.Upstream{Name: "b", Command: o.Dir + "/bin/b", Args: []string{o.Home}},
		durward.Upstream{Name: "c", Command: "python", Args: []string{"tool.py"}, Dir: o.Dir},
		durward.Upstream{Name: "d", Command: "d", Dir: filepath.Join(o.Dir, "sub")},
		durward.Upstream{Name: "e", Command: "e", Dir: "/srv"})
}

func TestFoldersThatTheEnvironmentMoves(t *testing.T) {
	o := home(t, map[string]string{
		"elsewhere/.claude.json":                `{"mcpServers": {"a": {"command": "a"}}}`,
		"codex/config.toml":                     "[mcp_servers.b]\ncommand = \"b\"\n",
		"xdg/Claude/claude_desktop_config.json": `{"mcpServers": {"c": {"command": "c"}}}`,
	})
	env := map[string]string{
		"CLAUDE_CONFIG_DIR": filepath.Join(o.Home, "elsewhere"), "CODEX_HOME": filepath.Join(o.Home, "codex"), "XDG_CONFIG_HOME": filepath.Join(o.Home, "xdg"),
	}
	o.Env = func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	want(t, inventory.Find(o), durward.Upstream{Name: "a", Command: "a"}, durward.Upstream{Name: "b", Command: "b"}, durward.Upstream{Name: "c", Command: "c"})
}

func TestRemoteServersOfEachSpelling(t *testing.T) {
	auth := map[string]string{"Authorization": "Bearer s3cret"}
	o := home(t, map[string]string{
		".claude.json": `{"mcpServers": {
			"http":   {"type": "http", "url": "https://a.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
			"sse":    {"type": "sse", "url": "https://b.example/sse"},
			"stream": {"type": "streamable-http", "url": "https://c.example/mcp"},
			"socket": {"type": "ws", "url": "https://w.example/mcp"}}}`,
		".cursor/mcp.json":                  `{"mcpServers": {"bare": {"url": "https://d.example/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}}}`,
		".codeium/windsurf/mcp_config.json": `{"mcpServers": {"wind": {"serverUrl": "https://e.example/mcp", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}}}`,
		".gemini/settings.json": `{"mcpServers": {
			"gem":    {"httpUrl": "https://f.example/mcp", "headers": {"Authorization": "Bearer $TOKEN"}, "timeout": 30000},
			"gemsse": {"url": "https://g.example/sse"}}}`,
		".codex/config.toml": `
			[mcp_servers.cod]
			url = "https://h.example/mcp"
			bearer_token_env_var = "TOKEN"
			tool_timeout_sec = 2.5
			[mcp_servers.cod2]
			url = "https://i.example/mcp"
			env_http_headers = { "X-Key" = "TOKEN" }
			http_headers = { "X-Other" = "1" }`,
	})
	r := inventory.Find(o)
	want(t, r,
		durward.Upstream{Name: "http", URL: "https://a.example/mcp", Transport: "http", Headers: auth},
		durward.Upstream{Name: "sse", URL: "https://b.example/sse", Transport: "sse"},
		durward.Upstream{Name: "stream", URL: "https://c.example/mcp", Transport: "http"},
		durward.Upstream{Name: "bare", URL: "https://d.example/mcp", Headers: auth},
		durward.Upstream{Name: "wind", URL: "https://e.example/mcp", Headers: auth},
		durward.Upstream{Name: "gem", URL: "https://f.example/mcp", Headers: auth, Timeout: 30 * time.Second},
		durward.Upstream{Name: "gemsse", URL: "https://g.example/sse", Transport: "sse"},
		durward.Upstream{Name: "cod", URL: "https://h.example/mcp", Headers: auth, Timeout: 2500 * time.Millisecond},
		durward.Upstream{Name: "cod2", URL: "https://i.example/mcp", Headers: map[string]string{"X-Key": "s3cret", "X-Other": "1"}})
	noted(t, r, "socket", `"ws"`)
}

func TestCommentsTrailingCommasAndMarks(t *testing.T) {
	o := home(t, map[string]string{".config/Code/User/mcp.json": "\ufeff" + `{
		// a comment with a "quote" and a , comma
		"inputs": [], /* one
		more */
		"servers": {
			"a": {"command": "a", "args": ["// not a comment", "x,]",],},
		},
	}`})
	r := inventory.Find(o)
	want(t, r, durward.Upstream{Name: "a", Command: "a", Args: []string{"// not a comment", "x,]"}})
	if len(r.Notes) > 0 {
		t.Errorf("notes %v, want none", r.Notes)
	}
}

func TestEnvironmentIsKeptAndNeverTold(t *testing.T) {
	o := home(t, map[string]string{
		".cursor/mcp.json": `{"mcpServers": {
			"a": {"command": "a", "env": {"KEY": "hunter2hunter2", "PORT": 8080, "ON": true}, "envFile": "${userHome}/my.env"},
			"b": {"command": "b", "env": {"KEY": "hunter3"}, "args": 5},
			"c": {"command": "c", "env": {"KEY": {"hunter4": 1}}},
			"d": {"command": "d", "env": {"KEY": "hunter5", "OTHER": "${input:pass}"}},
			"e": {"command": "e", "env": {"A=B": "hunter6"}},
			"f": {"url": "https://user:hunter7@x.example/"}}}`,
		"my.env": "# comment\nexport FILE=\"line\\none\"\nPLAIN= spaced \nSINGLE='x y'\nnonsense\n=x\n",
	})
	r := inventory.Find(o)
	want(t, r, durward.Upstream{Name: "a", Command: "a", Env: map[string]string{
		"KEY": "hunter2hunter2", "PORT": "8080", "ON": "true", "FILE": "line\none", "PLAIN": "spaced", "SINGLE": "x y",
	}})
	if len(r.Notes) != 5 {
		t.Errorf("%d notes, want 5: %v", len(r.Notes), r.Notes)
	}
	for _, n := range r.Notes {
		if strings.Contains(n.String(), "hunter") {
			t.Errorf("a note tells a value: %s", n)
		}
	}
	noted(t, r, "mcpServers.b", "args")
	noted(t, r, "mcpServers.d", "${input:pass}")
}

func TestVariables(t *testing.T) {
	for name, c := range map[string]struct{ in, want, note string }{
		"set":                        {"${TOKEN}", "s3cret", ""},
		"set, spelled as editors do": {"${env:TOKEN}", "s3cret", ""},
		"a fallback":                 {"${NOPE:-x}", "x", ""},
		"a fallback for empty":       {"${EMPTY:-x}", "x", ""},
		"a fallback not needed":      {"${TOKEN:-x}", "s3cret", ""},
		"empty":                      {"${EMPTY}", "", ""},
		"unset":                      {"${NOPE}", "", "${NOPE}"},
		"a folder without one":       {"${workspaceFolder}", "", "${workspaceFolder}"},
		"not a variable":             {"${a b} $TOKEN $", "${a b} $TOKEN $", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := inventory.Find(home(t, map[string]string{".cursor/mcp.json": `{"mcpServers": {"a": {"command": "a", "args": ["` + c.in + `"]}}}`}))
			if c.note != "" {
				noted(t, r, c.note, "left out")
				return
			}
			want(t, r, durward.Upstream{Name: "a", Command: "a", Args: []string{c.want}})
		})
	}
}

func TestSwitchedOffServersAreLeftOut(t *testing.T) {
	o := home(t, map[string]string{
		".codeium/windsurf/mcp_config.json": `{"mcpServers": {"a": {"command": "a", "disabled": true}}}`,
		".codex/config.toml":                "[mcp_servers.b]\ncommand = \"b\"\nenabled = false\n",
		".gemini/settings.json":             `{"mcp": {"excluded": ["c"]}, "mcpServers": {"c": {"command": "c"}}}`,
	})
	o.Dir = t.TempDir()
	write(t, o.Home, map[string]string{".claude.json": `{"projects": {"` + filepath.ToSlash(o.Dir) + `": {"disabledMcpjsonServers": ["d"],
		"disabledMcpServers": ["e"], "mcpServers": {"e": {"command": "e"}, "f": {"command": "f"}}}}}`})
	write(t, o.Dir, map[string]string{".mcp.json": `{"mcpServers": {"d": {"command": "d"}}}`})
	r := inventory.Find(o)
	want(t, r, durward.Upstream{Name: "f", Command: "f"})
	for _, name := range []string{".a)", ".b)", ".c)", ".d)", ".e)"} {
		noted(t, r, name, "disabled")
	}
}

func TestOurselvesAreLeftOut(t *testing.T) {
	o := home(t, map[string]string{".claude.json": `{"mcpServers": {
		"url":    {"type": "http", "url": "http://localhost:8080/mcp"},
		"bridge": {"command": "npx", "args": ["mcp-remote", "http://127.0.0.1:8080/mcp/files"]},
		"stdio":  {"command": "/opt/bin/durward", "args": ["stdio"]},
		"win":    {"command": "C:\\Tools\\Durward.EXE"},
		"upper":  {"url": "HTTP://LOCALHOST.:8080/mcp"},
		"six":    {"url": "http://[::1]:8080/mcp"},
		"mapped": {"url": "http://[::ffff:127.0.0.1]:8080/sse"},
		"any":    {"url": "http://0.0.0.0:8080/mcp"},
		"named":  {"url": "http://mcp.localhost:8080/mcp"},
		"moved":  {"url": "http://127.0.0.9:18080/mcp"},
		"keyed":  {"url": "http://gw.example/mcp", "headers": {"Authorization": "Bearer dwk_abc"}},
		"remote": {"command": "npx", "args": ["mcp-remote", "https://gw.example/mcp", "--header", "X-API-Key:dwk_abc"]},
		"other":  {"type": "http", "url": "http://localhost:9090/mcp"}}}`})
	o.Self = append(o.Self, "[::]:18080")
	r := inventory.Find(o)
	want(t, r, durward.Upstream{Name: "other", URL: "http://localhost:9090/mcp", Transport: "http"})
	noted(t, r, "bridge", "this gateway")
	noted(t, r, "keyed", "a Durward gateway already")
	for _, n := range r.Notes {
		if strings.Contains(n.Text, "dwk_abc") {
			t.Errorf("a note holds a key: %s", n)
		}
	}
}

func TestTheSameServerIsProposedOnce(t *testing.T) {
	o := home(t, map[string]string{
		".claude.json":       `{"mcpServers": {"gh": {"type": "http", "url": "https://x.example/mcp"}, "fs": {"command": "fs", "args": ["/a"]}}}`,
		".cursor/mcp.json":   `{"mcpServers": {"github": {"url": "https://x.example/mcp"}, "fs": {"command": "fs", "args": ["/b"]}}}`,
		".codex/config.toml": "[mcp_servers.fs]\ncommand = \"fs\"\nargs = [\"/c\"]\n[mcp_servers.FS]\ncommand = \"fs\"\nargs = [\"/d\"]\n",
	})
	r := inventory.Find(o)
	got := byName(t, r)
	if len(got) != 5 {
		t.Fatalf("proposed %v, want 5 servers", slices.Sorted(maps.Keys(got)))
	}
	for _, p := range r.Proposals {
		if p.Upstream.Name == "gh" && (len(p.Sources) != 2 || p.Sources[1].Client != inventory.Cursor || p.Sources[1].Name != "github") {
			t.Errorf("sources of gh = %+v, want Claude Code's and Cursor's", p.Sources)
		}
	}
	for name, arg := range map[string]string{"fs": "/a", "fs-cursor": "/b", "FS-codex": "/d"} {
		if u := got[name]; len(u.Args) != 1 || u.Args[0] != arg {
			t.Errorf("%s = %+v, want the server with %s", name, u, arg)
		}
	}
	if again := inventory.Find(o); !reflect.DeepEqual(r, again) {
		t.Error("a second look gives another result")
	}
}

func TestNamesBecomeAliases(t *testing.T) {
	o := home(t, map[string]string{".claude.json": `{"mcpServers": {
		"@scope/My Server": {"command": "a"}, "日本": {"command": "b"}, "a__b": {"command": "c"},
		"a-very-long-name-that-goes-on-and-on-and-on": {"command": "d"}, "a-very-long-name-that-goes-on-and-off": {"command": "e"}}}`})
	got := byName(t, inventory.Find(o))
	if len(got) != 5 || got["scope-My-Server"].Command != "a" || got["a_b"].Command != "c" {
		t.Errorf("aliases %v", slices.Sorted(maps.Keys(got)))
	}
}

func TestBadFilesAreNotedAndTheRestIsRead(t *testing.T) {
	o := home(t, map[string]string{
		".claude.json":                    "{\n  \"mcpServers\": {\n    \"a\" {}\n",
		".cursor/mcp.json":                `{"mcpServers": []}`,
		".config/Code/User/mcp.json":      `{"servers": {"a": 5, "b": {}, "c": {"command": "c", "url": "https://x.example"}, "d": {"command": "one"}, "ok": {"command": "ok"}, "d": {"command": "two"}}}`,
		".gemini/settings.json":           `[1]`,
		".codex/config.toml":              "[mcp_servers.a]\ncommand = \n",
		".codeium/mcp_config.json":        `null`,
		".config/Code/User/settings.json": `{"mcp": 7, "editor.fontSize": 12}`,
	})
	if err := os.Mkdir(filepath.Join(o.Home, ".codeium", "windsurf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(o.Home, ".codeium", "windsurf", "mcp_config.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := inventory.Find(o)
	want(t, r, durward.Upstream{Name: "ok", Command: "ok"})
	noted(t, r, ".claude.json (3:9)", "not valid JSON")
	noted(t, r, ".cursor/mcp.json (mcpServers)", "not an object")
	noted(t, r, "servers.a", "not an object")
	noted(t, r, "(servers.b)", "neither command nor url")
	noted(t, r, "(servers.c)", "besides command")
	noted(t, r, "(servers.d)", "declared twice")
	noted(t, r, ".gemini", "one object")
	noted(t, r, ".codex/config.toml (2:", "not valid TOML")
	noted(t, r, "windsurf", "not a regular file")
	noted(t, r, "settings.json (mcp)", "unexpected shape")
}

func TestWhatIsReadIsBounded(t *testing.T) {
	var many, args strings.Builder
	for range 300 {
		args.WriteString(`"a",`)
	}
	for i := range 600 {
		many.WriteString(`"s` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + `": {"command": "c", "args": ["` + strings.Repeat("z", i) + `"]},`)
	}
	o := home(t, map[string]string{
		".claude.json":     `{"mcpServers": {` + many.String() + `}}`,
		".cursor/mcp.json": `{"mcpServers": {"args": {"command": "c", "args": [` + args.String() + `]}, "long": {"command": "` + strings.Repeat("x", 40<<10) + `"}}}`,
	})
	huge := filepath.Join(o.Home, ".gemini")
	if err := os.Mkdir(huge, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(huge, "settings.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(huge, "settings.json"), 65<<20); err != nil { // a hole: costs nothing
		t.Fatal(err)
	}
	r := inventory.Find(o)
	if len(r.Proposals) != 512 || len(r.Notes) > 201 {
		t.Errorf("%d proposals and %d notes, want 512 and a few", len(r.Proposals), len(r.Notes))
	}
	noted(t, r, "more than 512 servers", "mcpServers.")
	noted(t, r, "mcpServers.args", "more than 256")
	noted(t, r, "mcpServers.long", "longer than")
	noted(t, r, ".gemini", "larger than")
}

func TestReadTellsTheClientByPathAndContent(t *testing.T) {
	o := home(t, map[string]string{
		"a/claude_desktop_config.json": `{"mcpServers": {"a": {"command": "a"}}}`,
		"b/.vscode/mcp.json":           `{"servers": {"b": {"command": "./b"}}}`,
		"c/any.toml":                   "[mcp_servers.c]\ncommand = \"c\"\n",
		"d/any.json":                   `{"mcpServers": {"d": {"httpUrl": "https://d.example/mcp"}}}`,
		"e/empty.json":                 `{"other": 1}`,
		".gemini/settings.json":        `{"mcpServers": {"f": {"url": "https://f.example/sse"}}}`,
	})
	for file, client := range map[string]inventory.Client{
		"a/claude_desktop_config.json": inventory.ClaudeDesktop, "b/.vscode/mcp.json": inventory.VSCode,
		"c/any.toml": inventory.Codex, "d/any.json": inventory.Unknown, ".gemini/settings.json": inventory.Gemini,
	} {
		r, err := inventory.Read(filepath.Join(o.Home, file), o)
		if err != nil || len(r.Proposals) != 1 || r.Proposals[0].Sources[0].Client != client {
			t.Errorf("Read(%s) = %+v, %v; want one server of %s", file, r, err, client)
		}
	}
	if r, err := inventory.Read(filepath.Join(o.Home, "e/empty.json"), o); err != nil || len(r.Proposals) != 0 {
		t.Errorf("Read(empty) = %+v, %v", r, err)
	}
	if _, err := inventory.Read(filepath.Join(o.Home, "nope.json"), o); err == nil {
		t.Error("reading no file is not an error")
	}
	b, err := inventory.Read(filepath.Join(o.Home, "b/.vscode/mcp.json"), o)
	if err != nil || b.Proposals[0].Upstream.Dir != filepath.Join(o.Home, "b") {
		t.Errorf("the project of .vscode/mcp.json is %+v, %v", b.Proposals, err)
	}
}

func TestMergeJoinsNamedFiles(t *testing.T) {
	o := home(t, map[string]string{
		"a.json": `{"mcpServers": {"x": {"command": "x"}}}`,
		"b.json": `{"mcpServers": {"x": {"command": "x"}, "y": {"command": "y"}}}`,
	})
	a, _ := inventory.Read(filepath.Join(o.Home, "a.json"), o)
	b, _ := inventory.Read(filepath.Join(o.Home, "b.json"), o)
	r := inventory.Merge(o, a, b)
	want(t, r, durward.Upstream{Name: "x", Command: "x"}, durward.Upstream{Name: "y", Command: "y"})
	if len(r.Files) != 2 || len(r.Proposals[0].Sources) != 2 {
		t.Errorf("merged %+v", r)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"mcpServers": {"a": {"command": "a", "args": ["${X:-b}"], "env": {"A": 1}}}, "projects": {"/p": {}}}`), false)
	f.Add([]byte("{\"servers\": {\"a\": /* c */ {\"url\": \"http://x\"},},} // end"), false)
	f.Add([]byte("[mcp_servers.a]\ncommand = \"a\"\nenv = {A = \"b\"}\n"), true)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte, isTOML bool) {
		path := filepath.Join(dir, map[bool]string{false: "mcp.json", true: "config.toml"}[isTOML])
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := inventory.Read(path, inventory.Options{Home: dir})
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		byName(t, r)
	})
}
