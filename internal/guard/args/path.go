package args

import "strings"

// place judges a path. What a file name may hold is no attack: a backslash, a
// dollar, a semicolon. A command needs its shape, and leaving needs to go
// further than a relative path does, or to aim at what nobody should read.
func place(s string) Finding {
	best := traversal(s)
	for _, f := range []Finding{pathShell(s), sqlOrScript(s)} {
		if f.Score > best.Score {
			best = f
		}
	}
	return best
}

// traversal judges where a path leads.
func traversal(s string) Finding {
	flat := strings.ReplaceAll(strings.ToLower(s), "\\", "/")
	up := climbs(flat)
	flat = level(flat)
	if strings.IndexByte(flat, '[') >= 0 {
		flat = globbed(flat)
	}
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return Finding{Rule: "traversal", Score: 0.95, What: "NUL in a path"}
	case hasFold(flat, disguised):
		return Finding{Rule: "traversal", Score: 0.96, What: "leaves its directory in disguise"}
	case up >= 3:
		return Finding{Rule: "traversal", Score: 0.96, What: "leaves its directory"}
	case hasFold(flat, secretFiles) && !public(flat):
		return Finding{Rule: "traversal", Score: 0.85, What: "a file that holds secrets of the system"}
	case up > 0 && (hasFold(flat, ownFiles) || strings.Contains(flat, "../etc/")):
		return Finding{Rule: "traversal", Score: 0.85, What: "leaves its directory for a file of the system"}
	}
	for _, p := range []string{"php:", "data:", "expect:", "zip:", "phar:", "gopher:"} {
		if strings.HasPrefix(flat, p) {
			return Finding{Rule: "traversal", Score: 0.8, What: "a scheme in a path"}
		}
	}
	switch {
	case up > 0:
		return Finding{Rule: "traversal", Score: 0.5, What: "leads upward"}
	case hasFold(flat, ownFiles), environment(flat):
		return Finding{Rule: "traversal", Score: 0.5, What: "a file that may hold settings or secrets"}
	case strings.HasPrefix(flat, "-"):
		return Finding{Rule: "command", Score: 0.6, What: "a path that reads as an option"}
	}
	return Finding{}
}

// disguised are spellings of the step upward that only attacks have.
var disguised = []string{".../", "..;", "..%2f", "..%5c", ".%2e", "%2e.", "%2e%2e", ".%252f", "..%252f", "%252e", "0x2e", "%c0%af", "%c0%ae", "\u2025/"}

// secretFiles are for nobody's eyes; ownFiles are read by honest people too.
var (
	secretFiles = []string{"/etc/passwd", "/etc/shadow", "/etc/sudoers", "/proc/self", "/proc/1/", "/.ssh/", ".ssh/id_", "id_rsa", "id_ed25519", ".aws/credentials", ".kube/config", ".git-credentials", ".netrc", ".pgpass", "win.ini", "boot.ini", "/windows/system32/config", ".htpasswd", "authorized_keys", "wp-config.php", "sam.hive", "/config/sam", "shadow.bak", "docker.sock", "/var/run/secrets", "/run/secrets/", "/etc/ssl/private/", ".config/gcloud/credentials", ".config/gcloud/application_default", "/library/keychains/", "/etc/krb5.keytab", ".gnupg/private"}
	ownFiles    = []string{"/etc/hosts", "/windows/system", "web.config", "httpd.conf", ".htaccess", "/var/log/", "/root/", ".git/config"}
)

// public reports the half of a pair of keys that others are given.
func public(flat string) bool {
	return strings.HasSuffix(flat, ".pub") && hasFold(flat, []string{"id_rsa.pub", "id_ed25519.pub", "id_ecdsa.pub", ".ssh/"}) && !hasFold(flat, []string{"/etc/", "/proc/"})
}

// environment reports a file of settings such as .env, but not its example.
func environment(p string) bool {
	name := p[strings.LastIndexByte(p, '/')+1:]
	if name != ".env" && !strings.HasPrefix(name, ".env.") {
		return false
	}
	return !hasFold(name, []string{"example", "sample", "template", "dist", "schema"})
}

// climbs counts how far above its start a path leads at most.
func climbs(p string) int {
	depth, most := 0, 0
	for len(p) > 0 {
		part := p
		if i := strings.IndexByte(p, '/'); i >= 0 {
			part, p = p[:i], p[i+1:]
		} else {
			p = ""
		}
		switch {
		case part == "" || part == ".":
		case strings.HasSuffix(part, "..") && strings.Trim(part, ".") != "" && strings.ContainsAny(part, "=&:"): // News&op=..
			depth, most = -1, max(most, 1)
		case part == "..":
			depth--
			most = max(most, -depth)
		default:
			depth++
		}
	}
	return most
}

// ordinary are marks and words that shells know and file names hold as well.
var ordinary = strings.NewReplacer("/usr/bin/", "/", "/usr/sbin/", "/", "/bin/", "/", "/sbin/", "/", "system32", "", "powershell", "pwsh", "{{", "", "#{", "", "%{", "", "$path", "path",
	"subprocess.", "", "busybox", "", "child_process", "", "$env:", "", "cmd.exe", "cmd", "/etc/passwd", "", "/etc/shadow", "")

// pathShell finds a command where a path should be: behind a separator, in a
// substitution, or a line of a command and its options.
func pathShell(s string) Finding {
	slashed := strings.ReplaceAll(s, "\\", "/")
	plain := unquote(slashed)
	trimmed := strings.TrimRight(s, " \r\n")
	first, _, several := strings.Cut(trimmed, " ")
	taken := unquote(trimmed)
	switch {
	case hasFold(ordinary.Replace(plain), hardForms):
		return Finding{Rule: "command", Score: 0.95, What: "shell expansion"}
	case separated(plain) || separated(strings.ToLower(s)) || separated(taken):
		return Finding{Rule: "command", Score: 0.93, What: "a command behind a separator"}
	case optioned(plain):
		return Finding{Rule: "command", Score: 0.85, What: "a command line"}
	case splitWord(strings.ReplaceAll(s, "\\", "")) && commandFirst(taken),
		several && strings.Count(first, "\\") == 1 && splitWord(first) && optioned(taken):
		return Finding{Rule: "command", Score: 0.9, What: "a command with its quotes taken apart"}
	case strings.ContainsAny(trimmed, "\n\r") && !prose(trimmed):
		return Finding{Rule: "command", Score: 0.8, What: "more than one line in a path"}
	case strings.ContainsAny(trimmed, ";|`$<>") && !prose(trimmed):
		return Finding{Rule: "command", Score: 0.4, What: "shell marks in a path"}
	}
	return Finding{}
}

// separated finds a separator and a command line behind it. Words that are
// commands are words of names too: a name goes on without one of the marks.
func separated(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';', '|', '\n', '`':
		case '&':
			if i+1 >= len(s) || s[i+1] == ' ' && (i == 0 || s[i-1] == ' ') && !strings.HasPrefix(s[i:], "&&") { // this & that
				continue
			}
		default:
			continue
		}
		w, tail := firstWord(behind(s[i+1:], "|&;!({\n"))
		if isCommand(w) && (strings.TrimSpace(tail) == "" || strict(tail) || i == 0) {
			return true
		}
	}
	return false
}

// optioned reports a command and what only commands take.
func optioned(s string) bool {
	w, tail := firstWord(strings.TrimLeft(s, " \t\n=+@"))
	return isCommand(w) && strict(tail)
}

// strict reports an argument that begins as no word of a name does.
func strict(tail string) bool {
	t := strings.TrimLeft(tail, " \t")
	if t == "" || len(t) == len(tail) && strings.IndexByte("|;<>`&\n", t[0]) < 0 {
		return false
	}
	if len(t) > 2 && t[1] == ':' && t[2] == '/' {
		return true
	}
	if t[0] == '-' && (len(t) == 1 || t[1] == ' ') { // a dash between words
		return false
	}
	next, _ := firstWord(t)
	return strings.IndexByte("-/.$*~<>|;&`\"'", t[0]) >= 0 || strings.HasPrefix(t, "http") || strings.HasPrefix(t, "localhost") || strings.Contains(next, "/") || strings.Contains(t, "|") ||
		isCommand(next) && len(strings.Fields(t)) <= 2 || strings.IndexByte(next, '.') > 0 && strings.Count(next, ".") == 3
}
