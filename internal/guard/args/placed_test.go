package args_test

import (
	"strings"
	"testing"
)

// What a value does depends on where it stands, and prose, padding or an odd
// spelling before it changes nothing.
func TestWhatStandsSomewhereElse(t *testing.T) {
	lorem := strings.Repeat("lorem ipsum ", 9)
	for _, c := range []struct{ tool, field, value, rule string }{
		{"get_user", "id", strings.Repeat("x", 24000) + "' OR '1'='1", "sqli"},
		{"find_user", "query", lorem + "' OR '1'='1' --", "sqli"},
		{"find_user", "query", lorem + "' union select password from users --", "sqli"},
		{"get_user", "id", `{"$gt": ""}`, "sqli"},
		{"read_file", "path", "/etc//passwd", "traversal"},
		{"read_file", "path", "/etc/./././/shadow", "traversal"},
		{"read_file", "path", "/run/secrets/db_password", "traversal"},
		{"read_file", "path", "/etc/ssl/private/key.pem", "traversal"},
		{"write_file", "path", "/etc/cron.d/x", "traversal"},
		{"git_fetch", "branch_name", "--upload-pack=touch /tmp/x", "command"},
		{"git_diff", "target", "--output=/etc/cron.d/x", "command"},
		{"git_clone", "remote", "ext::sh -c id", "command"},
		{"git_clone", "repo_url", "ext::sh -c touch% /tmp/x", "command"},
		{"calc", "expression", "__import__('os').system('id')", "command"},
		{"fetch", "url", "http:169.254.169.254/", "address"},
		{"fetch", "url", "169.254.169.254", "address"},
		{"fetch", "url", "http://[64:ff9b::a9fe:a9fe]/", "address"},
		{"fetch", "url", "http://[2002:a9fe:a9fe::]/", "address"},
		{"fetch", "url", "http://192.0.0.192/", "address"},
		{"fetch", "url", "view-source:http://169.254.169.254/", "address"},
		{"fetch", "url", "https://a.example/go?u=http://169.254.169.254/", "address"},
		{"fetch", "urls", "http://169.254.169.254/", "address"},
		{"fetch", "anything", "http://169.254.169.254/latest", "address"},
		{"search", "query", "how do I escape ' OR '1'='1' -- in PHP", ""},
		{"search", "query", "what does 1' or '1'='1 mean", ""},
		{"search", "query", "/etc/passwd format", ""},
		{"search", "query", "cat /etc/passwd | grep root explained", ""},
		{"search", "query", "<script>alert(1)</script> xss example", ""},
		{"search", "query", "/etc/passwd; cat /etc/shadow", "traversal"},
		{"read_file", "path", "~/.ssh/id_rsa.pub", ""},
		{"read_file", "path", "~/.ssh/id_rsa", "traversal"},
		{"git_diff", "target", "HEAD~1..HEAD", ""},
		{"git_show", "revision", "HEAD^{tree}", ""},
		{"git_show", "revision", "HEAD; id", "command"},
		{"remember", "fact", "likes `vim` & <emacs>", ""},
		{"login", "password", "a;ls|$(x)`", ""},
		{"login", "password", "' OR 1=1 --", "sqli"},
		{"fetch", "url", "ftp://ftp.gnu.org/gnu/", ""},
		{"fetch", "url", "ftp://169.254.169.254/", "address"},
		{"fetch", "url", "https://example.org/?next=https://example.com/a", ""},
		{"format_args", "args", "--output=a.txt", ""},
		{"calc", "expression", "2*(3+4)", ""},
		{"run_python", "expression", "os.system('ls')", ""},
		{"read_file", "path", "/etc/cron.d/x", ""},
		{"get_time", "version", "1.2.3", ""},
		{"lookup", "key", "user:42", ""},
	} {
		f := top(t, c.tool, map[string]any{c.field: c.value}, nil)
		if c.rule == "" && f.Score >= 0.7 || c.rule != "" && (f.Score < 0.7 || f.Rule != c.rule) {
			t.Errorf("%s %s %.60q: %+v, want %q", c.tool, c.field, c.value, f, c.rule)
		}
	}
}
