package args

import "strings"

// options are those by which programs are made to run or to write something.
var options = []string{"--upload-pack", "--receive-pack", "--output=", "--output ", "--exec=", "--exec ", "--open-files-in-pager", "--config-env", "--ext-diff", "--textconv", "--use-compress-program", "--checkpoint-action", "--to-command", "--rsh=", "-oproxycommand", "-c core.", "-c protocol."}

// option judges a value that a program would take for an option, or for a
// command in the place of an address. A field for options takes them.
func option(path []string, s string) Finding {
	if s == "" || s[0] != '-' && s[0] != 'e' && s[0] != 'E' && s[0] != 'f' {
		return Finding{}
	}
	low := strings.ToLower(s[:min(len(s), 64)])
	if strings.HasPrefix(low, "ext::") || strings.HasPrefix(low, "fd::") {
		return Finding{Rule: "command", Score: 0.9, What: "an address that runs a command"}
	}
	if s[0] != '-' || any(words(lastName(path)), "args", "arguments", "argv", "options", "option", "flags", "flag", "opts", "params", "extra") {
		return Finding{}
	}
	for _, o := range options {
		if strings.HasPrefix(low, o) {
			return Finding{Rule: "command", Score: 0.9, What: "a value that reads as an option"}
		}
	}
	return Finding{}
}

// escapes out of a language for sums.
var outOfSums = []string{"__import__", "child_process", "os.system", "os.popen", "subprocess.", "getruntime(", "process.mainmodule", "globalthis", "__class__", "__subclasses__", "__builtins__", "__globals__", "system(", "popen(", "execsync"}

// sum judges an expression of a tool that does not run programs.
func sum(t, path []string, s string) Finding {
	if !any(words(lastName(path)), "expression", "formula", "equation", "calculation") ||
		any(t, "code", "python", "js", "javascript", "script", "eval", "evaluate", "run", "exec", "execute", "notebook", "repl", "browser", "node", "debug", "debugger", "grep", "search") {
		return Finding{}
	}
	if hasFold(strings.ToLower(s), outOfSums) {
		return Finding{Rule: "command", Score: 0.9, What: "an expression that leaves its language"}
	}
	return Finding{}
}

// startFiles are run by the system, or say who may do what; writing there is
// for people.
var startFiles = []string{"/etc/cron", "/var/spool/cron", "/etc/init.d", "/etc/systemd", "/etc/rc.local", "/etc/profile", "/etc/ld.so.preload", "/etc/pam.d", "/library/launchagents", "/library/launchdaemons", "/start menu/programs/startup", "/currentversion/run"}

// ownStart are files by which a person's own programs start.
var ownStart = []string{".bashrc", ".zshrc", ".bash_profile", ".profile", ".git/hooks/", "/.config/autostart"}

// written judges where a tool writes.
func written(t []string, s string) Finding {
	if !any(t, "write", "create", "edit", "append", "save", "move", "copy", "put", "update", "upload", "insert", "replace", "patch", "touch", "link", "symlink", "download", "store") {
		return Finding{}
	}
	flat := level(strings.ReplaceAll(strings.ToLower(s), "\\", "/"))
	switch {
	case hasFold(flat, startFiles):
		return Finding{Rule: "traversal", Score: 0.85, What: "writes what the system runs"}
	case hasFold(flat, ownStart):
		return Finding{Rule: "traversal", Score: 0.6, What: "writes what runs by itself"}
	}
	return Finding{}
}

// level is a path without the steps that lead nowhere: // and /./.
func level(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/./") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '/' {
			b.WriteByte(p[i])
			continue
		}
		b.WriteByte('/')
		for i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.' && i+2 < len(p) && p[i+2] == '/') {
			i++
		}
	}
	return b.String()
}

// revision reports what names a state of a repository: HEAD~1..HEAD, main^{tree}.
func revision(s string) bool {
	if len(s) > 200 || strings.Contains(s, "../") || !strings.ContainsAny(s, "~^@") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c), '0' <= c && c <= '9', strings.IndexByte("._/-~^@}", c) >= 0:
		case c == '{' && i > 0 && (s[i-1] == '^' || s[i-1] == '@'):
		default:
			return false
		}
	}
	return letter(s[0]) || '0' <= s[0] && s[0] <= '9' || s[0] == '@' || s[0] == '^'
}

// operator judges an object of a query language in the place of a name.
func operator(path []string, s string) Finding {
	if len(s) < 6 || s[0] != '{' || !any(words(lastName(path)), "id", "user", "username", "name", "email", "password", "login", "code", "account") {
		return Finding{}
	}
	if hasFold(strings.ToLower(s), []string{`"$gt"`, `"$ne"`, `"$where"`, `"$regex"`, `"$in"`, `"$nin"`, `"$exists"`, `'$gt'`, `'$ne'`}) {
		return Finding{Rule: "sqli", Score: 0.85, What: "an operator in the place of a value"}
	}
	return Finding{}
}

// aims judges an address in a field that is not known to take one: only what
// nobody has a reason to reach.
func aims(s string) Finding {
	t := strings.TrimSpace(s)
	if len(t) > 2048 || strings.ContainsAny(t, " \n\t") || !strings.ContainsAny(t, ".:") {
		return Finding{}
	}
	if f := forbidden(hostOf(t)); f.Score >= 0.95 {
		return f
	}
	return Finding{}
}

// hostOf is the host of an address, with or without its scheme.
func hostOf(s string) string {
	for _, p := range []string{"view-source:", "url:", "feed:"} {
		if len(s) > len(p) && strings.EqualFold(s[:len(p)], p) {
			s = s[len(p):]
		}
	}
	if i := strings.Index(s, ":"); i > 0 && i < 8 && (strings.EqualFold(s[:i], "http") || strings.EqualFold(s[:i], "https") || strings.HasPrefix(s[i:], "://")) {
		s = s[i+1:]
	}
	s = strings.TrimLeft(s, "/\\")
	if i := strings.IndexAny(s, "/\\?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 {
			return s[1:i]
		}
	}
	if i := strings.IndexByte(s, ':'); i >= 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		s = s[:i]
	}
	return s
}

// passed judges the addresses that an address carries in its query.
func passed(s string) Finding {
	rest := s
	for n := 0; n < 8; n++ {
		i := strings.Index(rest[min(1, len(rest)):], "http")
		if i < 0 {
			return Finding{}
		}
		rest = rest[i+1:]
		if !strings.HasPrefix(rest, "http:") && !strings.HasPrefix(rest, "https:") {
			continue
		}
		end := strings.IndexAny(rest, "& \"'")
		if end < 0 {
			end = len(rest)
		}
		if f := forbidden(hostOf(rest[:end])); f.Score >= 0.95 {
			return Finding{Rule: "address", Score: 0.8, What: f.What + " in an address"}
		}
	}
	return Finding{}
}
