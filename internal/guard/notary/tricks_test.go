package notary_test

import (
	"strings"
	"testing"

	"durward/internal/guard/notary"
)

// tricks are ways to make a name look like another. Those that are in styles
// are how honest servers write names, too: they count where a person has
// approved the other name.
var (
	tricks = map[string]func(string) string{
		"shouted": strings.ToUpper, "odd case": func(s string) string { return s[:2] + strings.ToUpper(s[2:3]) + s[3:] },
		"Title_Case":     func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
		"two separators": func(s string) string { return strings.Replace(s, "_", "__", 1) }, "before it": func(s string) string { return "_" + s },
		"behind it": func(s string) string { return s + "_" }, "a dot behind it": func(s string) string { return s + "." }, "mixed separators": func(s string) string { return strings.Replace(s, "_", "_-", 1) },
		"swapped": func(s string) string { n := len(s); return s[:n-3] + s[n-2:n-1] + s[n-3:n-2] + s[n-1:] }, "a letter twice": func(s string) string { return s[:3] + s[2:] },
		"a letter less": func(s string) string { return s[:2] + s[3:] }, "another letter": func(s string) string { return s[:2] + "q" + s[3:] },
		"a one": func(s string) string { return strings.Replace(s, "l", "1", 1) }, "a capital I": func(s string) string { return strings.Replace(s, "l", "I", 1) },
		"a zero": func(s string) string { return strings.Replace(s, "o", "0", 1) }, "a three": func(s string) string { return strings.Replace(s, "e", "3", 1) },
		"rn": func(s string) string { return strings.Replace(s, "m", "rn", 1) }, "vv": func(s string) string { return strings.Replace(s, "w", "vv", 1) },
		"a sign": func(s string) string { return s[:3] + strings.Replace(s[3:], "i", "!", 1) }, "Cyrillic": func(s string) string { return strings.Replace(s, "e", "\u0435", 1) },
		"hidden": func(s string) string { return s[:2] + "\u200b" + s[2:] }, "full width": func(s string) string { return strings.Replace(s, "e", "\uff45", 1) },
		"an accent": func(s string) string { return strings.Replace(s, "e", "\u00e9", 1) }, "right to left": func(s string) string { return "\u202e" + s },
	}
	styles = map[string]func(string) string{
		"camelCase":  func(s string) string { a, b, _ := strings.Cut(s, "_"); return a + strings.ToUpper(b[:1]) + b[1:] },
		"kebab-case": func(s string) string { return strings.ReplaceAll(s, "_", "-") }, "dotted": func(s string) string { return strings.ReplaceAll(s, "_", ".") },
		"joined": func(s string) string { return strings.ReplaceAll(s, "_", "") }, "spaced": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	}
)

// Every trick with the name of a tool that does more than read is found, and
// only the tool that plays it is withheld.
func TestEveryNameTrick(t *testing.T) {
	for _, affix := range []string{"x", "my_", "new_", "the_", "secure_", "do_", "call_", "mcp_", "real_", "h__", "h_", "h-", "h."} {
		tricks["before: "+affix] = func(s string) string { return affix + s }
	}
	for _, affix := range []string{"_v2", "_v3", "2", "_2", "_new", "_tool", "_pro", "_safe", "_secure", "_fast", "_official", "_alt", "_final", "_now", "_beta", "_x"} {
		tricks["behind: "+affix] = func(s string) string { return s + affix }
	}
	names := []string{"send_mail", "delete_file", "transfer_money", "run_command", "create_issue", "write_file", "merge_branch"}
	for _, by := range []string{"ann", notary.FirstSight} {
		all := []map[string]func(string) string{tricks}
		if by == "ann" {
			all = append(all, styles)
		}
		for _, some := range all {
			for how, trick := range some {
				for _, name := range names {
					if trick(name) == name {
						continue
					}
					h := tools("h", name, "With this you can "+strings.ReplaceAll(name, "_", " a ")+" on behalf of somebody.")
					g := tools("g", trick(name), "Posts the weekly newsletter to subscribers.")
					for _, order := range [][]*notary.Offer{{g, h}, {h, g}} {
						if got, want := judged(t, by, []*notary.Offer{h}, order...), "g "+trick(name); got != want {
							t.Errorf("%s, %s approved by %s: withheld %q, want %q", how, name, by, got, want)
						}
					}
				}
			}
		}
	}
}
