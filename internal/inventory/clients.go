package inventory

import (
	"path/filepath"
	"slices"
	"strings"
)

// Client is a program that speaks MCP, by the word that `durward connect` takes.
type Client string

// The clients that are known.
const (
	ClaudeDesktop Client = "claude-desktop"
	ClaudeCode    Client = "claude-code"
	Cursor        Client = "cursor"
	VSCode        Client = "vscode"
	Windsurf      Client = "windsurf"
	Gemini        Client = "gemini"
	Codex         Client = "codex"
	// Curl is no client, but [NewRecipe] has lines for it.
	Curl Client = "curl"
	// Unknown is the client of a file that tells nothing about its owner.
	Unknown Client = "file"
)

// Clients lists the clients in the order in which their files are read.
func Clients() []Client {
	return []Client{ClaudeDesktop, ClaudeCode, Cursor, VSCode, Windsurf, Gemini, Codex}
}

// Title is the client as people call it.
func (c Client) Title() string {
	switch c {
	case ClaudeDesktop:
		return "Claude Desktop"
	case ClaudeCode:
		return "Claude Code"
	case Cursor:
		return "Cursor"
	case VSCode:
		return "VS Code"
	case Windsurf:
		return "Windsurf"
	case Gemini:
		return "Gemini CLI"
	case Codex:
		return "Codex"
	case Curl:
		return "curl"
	}
	return "a file"
}

// place is a file that a client may have.
type place struct {
	path    string
	client  Client
	project string // the project folder whose file it is; empty for a person's
	guess   bool   // found by looking, not named by a person
}

// places lists every file of every client, on all operating systems: a folder
// that another system would use is simply not there.
func places(o Options) []place {
	var all []place
	add := func(c Client, project string, paths ...string) {
		for _, p := range paths {
			all = append(all, place{path: p, client: c, project: project, guess: true})
		}
	}
	app := appFolders(o)
	add(ClaudeDesktop, "", inEach(app, "Claude", "claude_desktop_config.json")...)
	add(ClaudeCode, "", claudeFile(o))
	add(Cursor, "", filepath.Join(o.Home, ".cursor", "mcp.json"))
	for _, edition := range []string{"Code", "Code - Insiders"} {
		add(VSCode, "", inEach(app, edition, "User", "mcp.json")...)
		add(VSCode, "", profiles(app, edition)...)
		add(VSCode, "", inEach(app, edition, "User", "settings.json")...)
	}
	add(Windsurf, "", filepath.Join(o.Home, ".codeium", "windsurf", "mcp_config.json"), filepath.Join(o.Home, ".codeium", "mcp_config.json"))
	add(Gemini, "", filepath.Join(o.Home, ".gemini", "settings.json"))
	add(Codex, "", codexFile(o))
	if o.Dir != "" {
		add(ClaudeCode, o.Dir, filepath.Join(o.Dir, ".mcp.json"))
		add(Cursor, o.Dir, filepath.Join(o.Dir, ".cursor", "mcp.json"))
		add(VSCode, o.Dir, filepath.Join(o.Dir, ".vscode", "mcp.json"))
		add(Gemini, o.Dir, filepath.Join(o.Dir, ".gemini", "settings.json"))
		add(Codex, o.Dir, filepath.Join(o.Dir, ".codex", "config.toml"))
	}
	return firstOfEach(all)
}

// appFolders are where desktop programs keep their settings: Linux, macOS, Windows.
func appFolders(o Options) []string {
	dirs := []string{
		filepath.Join(o.Home, ".config"),
		filepath.Join(o.Home, "Library", "Application Support"),
		filepath.Join(o.Home, "AppData", "Roaming"),
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "APPDATA"} {
		if dir, ok := o.env(name); ok && filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func claudeFile(o Options) string {
	if dir, ok := o.env("CLAUDE_CONFIG_DIR"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, ".claude.json")
	}
	return filepath.Join(o.Home, ".claude.json")
}

func codexFile(o Options) string {
	if dir, ok := o.env("CODEX_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "config.toml")
	}
	return filepath.Join(o.Home, ".codex", "config.toml")
}

func inEach(dirs []string, elem ...string) []string {
	var all []string
	for _, d := range dirs {
		all = append(all, filepath.Join(append([]string{d}, elem...)...))
	}
	return all
}

// profiles are the files of VS Code's named profiles.
func profiles(dirs []string, edition string) []string {
	var all []string
	for _, d := range dirs {
		found, _ := filepath.Glob(filepath.Join(escape(d), edition, "User", "profiles", "*", "mcp.json")) // a bad pattern finds nothing
		all = append(all, found[:min(len(found), 32)]...)
	}
	return all
}

func escape(dir string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

func firstOfEach(all []place) []place {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(p place) bool {
		twice := seen[p.path]
		seen[p.path] = true
		return twice
	})
}

// placeOf tells the client of a named file by its name and folder.
func placeOf(path string, o Options) place {
	p := place{path: path, client: Unknown}
	full, err := filepath.Abs(path)
	if err != nil {
		full = path
	}
	for _, known := range places(o) {
		if known.path == full {
			known.path, known.guess = path, false
			return known
		}
	}
	dir, parent := filepath.Dir(full), filepath.Base(filepath.Dir(full))
	switch base := filepath.Base(full); {
	case base == "claude_desktop_config.json":
		p.client = ClaudeDesktop
	case base == ".claude.json":
		p.client = ClaudeCode
	case base == ".mcp.json":
		p.client, p.project = ClaudeCode, dir
	case parent == ".cursor":
		p.client, p.project = Cursor, filepath.Dir(dir)
	case parent == ".vscode":
		p.client, p.project = VSCode, filepath.Dir(dir)
	case parent == ".gemini":
		p.client, p.project = Gemini, filepath.Dir(dir)
	case filepath.Ext(base) == ".toml":
		p.client = Codex
	case base == "mcp_config.json":
		p.client = Windsurf
	}
	return p
}
