package dlp_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"durward/internal/guard/dlp"
)

// forms are the ways to write a text that a reader can undo.
var forms = map[string]func(string) string{
	"base64":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 of addresses":  func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"base64 unpadded":      func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
	"base64 twice":         func(s string) string { return b64(b64(s)) },
	"base64 behind a name": func(s string) string { return "key/" + b64(s) },
	"base64 in lines":      func(s string) string { return wrapped(b64("config for the build: "+s+" and so on"), 20, "\n") },
	"base64 in CRLF lines": func(s string) string { return wrapped(b64("config for the build: "+s+" and so on"), 40, "\r\n  ") },
	"base64 in a sentence": func(s string) string { return b64("The key of the build is " + s + ", keep it.") },
	"base64 of UTF-16": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Join(strings.Split(s, ""), "\x00") + "\x00"))
	},
	"base32":             func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
	"hexadecimal":        func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HEXADECIMAL":        func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"0x":                 func(s string) string { return "0x" + hex.EncodeToString([]byte(s)) },
	"pairs":              func(s string) string { return strings.TrimSpace(fmt.Sprintf("% x", s)) },
	"pairs with colons":  func(s string) string { return strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf("% x", s)), " ", ":") },
	"decimals":           func(s string) string { return strings.Trim(fmt.Sprint([]byte(s)), "[]") },
	"decimals in a list": func(s string) string { b, _ := json.Marshal(ints(s)); return string(b) },
	"percent":            func(s string) string { return each(s, "%%%02X") },
	"percent twice":      func(s string) string { return strings.ReplaceAll(each(s, "%%%02x"), "%", "%25") },
	"percent in part": func(s string) string {
		return strings.NewReplacer("_", "%5F", "-", "%2D", "A", "%41", "4", "%34").Replace(s)
	},
	"query":   url.QueryEscape,
	"escaped": func(s string) string { return each(s, "\\u%04x") },
	"escaped in part": func(s string) string {
		return strings.NewReplacer("_", "\\u005f", "-", "\\u002d", "A", "\\x41", "4", "\\064").Replace(s)
	},
	"braces":           func(s string) string { return each(s, "\\u{%x}") },
	"references":       func(s string) string { return each(s, "&#%d;") },
	"hexadecimal ones": func(s string) string { return each(s, "&#x%x;") },
	"named ones": func(s string) string {
		return strings.NewReplacer("_", "&lowbar;", "-", "&hyphen;", "/", "&sol;", "4", "&#52;").Replace(s)
	},
	"escaped marks":        func(s string) string { return strings.NewReplacer("_", "\\_", "-", "\\-", "4", "\\u0034").Replace(s) },
	"zero width":           func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
	"one zero width":       func(s string) string { return s[:9] + "\u200d" + s[9:] },
	"soft hyphens":         func(s string) string { return s[:6] + "\u00ad" + s[6:14] + "&shy;" + s[14:] },
	"full width":           func(s string) string { return mapped(s, 0xfee0) },
	"tags":                 func(s string) string { return mapped(s, 0xe0000) },
	"markup":               func(s string) string { return s[:8] + "<b></b>" + s[8:15] + "<wbr>" + s[15:] },
	"colours":              func(s string) string { return s[:8] + "\x1b[31m" + s[8:] },
	"soft line ends":       func(s string) string { return s[:9] + "=\n" + s[9:] },
	"references of base64": func(s string) string { return strings.NewReplacer("=", "&#61;", "A", "&#65;").Replace(b64(s)) },
	"base64 of percent":    func(s string) string { return b64(each(s, "%%%02x")) },
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func ints(s string) (out []int) {
	for _, c := range []byte(s) {
		out = append(out, int(c))
	}
	return out
}

func each(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

func mapped(s string, by rune) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r + by
		}
		return r
	}, s)
}

func wrapped(s string, width int, end string) string {
	var lines []string
	for ; len(s) > width; s = s[width:] {
		lines = append(lines, s[:width])
	}
	return strings.Join(append(lines, s), end)
}

var typed = []string{
	"ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "AKIA" + "QZ7RT2YB4KD9WX3M", "glpat-" + "60HeA8lsuoBqHMPg9IP6", "xoxb-" + "730723358923-678300934811-kO7yGA5a7SIg3GTvgHfGt1Af",
	"sk_live_" + "Zk3v9Qw8Er7Ty6Ui5Op4As3D", "AIza" + "zQ7F3jC39WYUy9afkXJjIvU1cWcmELqaO-i", "sk-proj-" + "8vnK0GTYkyjT5abnMZhFCygk8pmjhjy1USiUALNFRZ8",
	`password: "T7#kq9Lm2xV!"`,
}

// However a secret is written, it is found, nothing of it is left, and it has
// the same token.
func TestSecretsAreFoundInEveryForm(t *testing.T) {
	r := dlp.NewRedactor([]byte("k"))
	for _, s := range typed {
		plain, _ := dlp.Look(nil, []byte(s))
		if len(plain) != 1 {
			t.Fatalf("%s: %+v", s, plain)
		}
		token := r.Token(plain[0], []byte(s))
		for name, form := range forms {
			if s[0] == 'p' && (name == "percent in part" || name == "query" || name == "escaped in part" || name == "soft hyphens" || name == "markup" || name == "colours" || name == "soft line ends" || strings.HasPrefix(name, "base32")) {
				continue // words between marks
			}
			if s[0] == 'A' && (name == "named ones" || name == "escaped marks") && !strings.Contains(s, "4") {
				continue
			}
			in := []byte("Build 12 of the site.\nvalue=" + form(s) + "\nThat was all.")
			finds, whole := dlp.Look(nil, in)
			if len(finds) == 0 || !whole {
				t.Errorf("%s, %s: %d finds, whole %v", name, in, len(finds), whole)
				continue
			}
			out := string(r.Redact(in, finds))
			if strings.Count(out, token) != 1 || !strings.HasPrefix(out, "Build 12 of the site.\n") || !strings.HasSuffix(out, "That was all.") {
				t.Errorf("%s: %s became %q, want %s", name, in, out, token)
			}
			if again, _ := dlp.Look(nil, []byte(out)); len(again) > 0 {
				t.Errorf("%s: %q is redacted again", name, out)
			}
		}
	}
}

func TestOneSecretHasOneToken(t *testing.T) {
	r := dlp.NewRedactor([]byte("k"))
	for _, forms := range [][]string{
		{"ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "token: \"ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\"", `{"password":"ghp_` + `a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}`,
			"Authorization: Bearer ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "https://x-access-token:ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8@github.com/a/b", "https://a.example/?token=ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8&b=1"},
		{`password: "T7#kq9Lm2xV!"`, `{"password": "T7#kq9Lm2xV!"}`, `api_key=T7#kq9Lm2xV!`, "PASSWORD='T7#kq9Lm2xV!'", `{\"secret\":\"T7#kq9Lm2xV!\"}`},
		{"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----", `"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n"`},
	} {
		want := ""
		for _, s := range forms {
			finds, _ := dlp.Look(nil, []byte(s))
			if len(finds) != 1 {
				t.Errorf("%s: %+v", s, finds)
				continue
			}
			if got := r.Token(finds[0], []byte(s)); want == "" {
				want = got
			} else if got != want {
				t.Errorf("%s: %s, want %s", s, got, want)
			}
		}
	}
}

// What stands for a secret already is left, wherever it is repeated.
func TestIssuedTokensAreLeft(t *testing.T) {
	for _, s := range []string{
		"[secret:github:890aa9]", "password: [secret:value:890aa9]", `{"token":"[secret:github:890aa9]"}`, "postgres://app:[secret:value:890aa9]@db/x", "Bearer [secret:value:890aa9]",
		`{"password": "[secret:value:7ce776]", "api_key":"x[secret:github:890aa9]y"}`, "[secret:github]", "secret: [secret:key:123456] and [pii:tel:3f2a9c]",
	} {
		if finds, _ := dlp.Look(nil, []byte(s)); len(finds) > 0 {
			t.Errorf("%s: %+v", s, finds)
		}
	}
	hidden := `password: "[secret:value:7ce776]T7#kq9Lm2xV!"`
	if finds, _ := dlp.Look(nil, []byte(hidden)); len(finds) != 1 {
		t.Errorf("%s: a token hides what stands beside it: %+v", hidden, finds)
	}
}

func TestNamesOfParametersStay(t *testing.T) {
	in := []byte("Open https://a.example/reset?token=abc123DEF456ghi789&next=1 now")
	finds, _ := dlp.Look(nil, in)
	if out := dlp.NewRedactor(nil).Redact(in, finds); !bytes.Contains(out, []byte("reset?token=[secret:value]&next=1 now")) {
		t.Errorf("became %s", out)
	}
}

func TestBrokenAndClungToSecretsAreFound(t *testing.T) {
	r := dlp.NewRedactor([]byte("k"))
	gh, slack := typed[0], typed[3]
	plain, _ := dlp.Look(nil, []byte(gh))
	for in, want := range map[string]string{
		"a " + gh[:20] + "\n" + gh[20:] + " b":                            "a " + r.Token(plain[0], []byte(gh)) + " b",
		"a " + gh[:12] + "\r\n  " + gh[12:24] + "\r\n  " + gh[24:] + " b": "a " + r.Token(plain[0], []byte(gh)) + " b",
		"a " + gh[:20] + " " + gh[20:] + " b":                             "a " + r.Token(plain[0], []byte(gh)) + " b",
		"a " + slack[:15] + "\n" + slack[15:] + " b":                      "",
		"a " + gh + strings.Repeat("Zz9", 20) + " b":                      "",
	} {
		finds, _ := dlp.Look(nil, []byte(in))
		out := string(r.Redact([]byte(in), finds))
		if want != "" && out != want || !strings.HasPrefix(out, "a [secret:") || !strings.HasSuffix(out, "] b") {
			t.Errorf("%q became %q, want %q", in, out, want)
		}
	}
	for _, s := range []string{"tokens begin with ghp_ and\nare 40 characters long", "the prefix AKIA\nor ASIA", "install sk-learn\npython3-numpy2"} {
		if finds, _ := dlp.Look(nil, []byte(s)); len(finds) > 0 {
			t.Errorf("%q: %+v", s, finds)
		}
	}
}

func TestAValueIsFoundAgain(t *testing.T) {
	in := []byte("password: T7#kq9Lm2xV!\nlog in as ann with T7#kq9Lm2xV! and wait")
	finds, _ := dlp.Look(nil, in)
	if out := dlp.NewRedactor(nil).Redact(in, finds); bytes.Contains(out, []byte("kq9Lm2")) {
		t.Errorf("became %s", out)
	}
}

func TestOrdinaryEncodingsAreLeft(t *testing.T) {
	for _, s := range []string{
		"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
		"integrity sha512-V6HIZRQkuS5jTIjKRdxJM5xVG9YTd5v/zqCrkJschWbsVzZOqtx7V4LU0MsCO6ZkTwjpNuVjlyvkdJsT7r1xwQ==",
		b64("The quick brown fox jumps over the lazy dog and the token is valid for one hour."), hex.EncodeToString([]byte("no secret at all in here, only words")),
		"getElementByIdentifierAndClassName", "https://en.wikipedia.org/wiki/O%27Reilly_(company)#History", "caf\u00e9 \u2013 na\u00efve \u2764\ufe0f", "a&amp;b &lt;c&gt; &quot;d&quot;",
		"eyJjdXJzb3IiOiJhYmMxMjMiLCJwYWdlIjoyfQ==", "00 01 02 03 04 05 06 07 08 09 0a 0b 0c", "6c1726b32342aa0ec02abc9f3d820fdd96c97170",
	} {
		if finds, whole := dlp.Look(nil, []byte(s)); len(finds) > 0 || !whole {
			t.Errorf("%s: %+v, whole %v", s, finds, whole)
		}
	}
}

// names of the forms, in a fixed order, for the fuzzer to choose from.
func formNames() []string {
	names := make([]string, 0, len(forms))
	for n := range forms {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// pieces are eight bytes of a secret in the forms that a reader undoes at a glance.
func pieces(secret string) (out []string) {
	for i := 0; i+8 <= len(secret); i++ {
		p := secret[i : i+8]
		out = append(out, p, hex.EncodeToString([]byte(p)), strings.ToUpper(hex.EncodeToString([]byte(p))), each(p, "%%%02x"), each(p, "%%%02X"))
		for skip := range 3 { // base64 of the whole may begin anywhere
			if e := base64.RawStdEncoding.EncodeToString([]byte(p[skip:])); len(e) >= 8 {
				out = append(out, e[:len(e)/4*4][:min(8, len(e)/4*4)])
			}
		}
	}
	return out
}

// Whatever stands around a secret, and however it is written, nothing of it is
// in the output, and the output is not redacted again.
func FuzzLook(f *testing.F) {
	names := formNames()
	for i := range names {
		f.Add([]byte("Settings:"), []byte("and more"), uint8(i), uint8(i))
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"), []byte("%41\u200b[secret:"), uint8(0), uint8(3))
	f.Add([]byte("password = \"abc"), []byte("=\n<b>&#61;"), uint8(7), uint8(9))
	r := dlp.NewRedactor([]byte("k"))
	f.Fuzz(func(t *testing.T, before, after []byte, which, how uint8) {
		secret, name := typed[int(which)%(len(typed)-1)], names[int(how)%len(names)]
		if secret[0] == 'A' && (name == "named ones" || name == "escaped marks") {
			return // nothing in it is escaped by these
		}
		in := []byte(string(before) + "\n" + forms[name](secret) + "\n" + string(after))
		finds, _ := dlp.Look(nil, in)
		at := 0
		for _, x := range finds {
			if x.Start < at || x.End > len(in) || x.Start >= x.End || x.Plain == nil && (x.Value < x.Start || x.Value >= x.End || x.Until > x.End) {
				t.Fatalf("find %+v in %d bytes, after %d", x, len(in), at)
			}
			at = x.End
		}
		out := string(r.Redact(in, finds))
		for _, p := range pieces(secret) {
			if strings.Contains(out, p) && !strings.Contains(string(before)+string(after), p) {
				t.Fatalf("%s: %q holds %q of %q", name, out, p, in)
			}
		}
	})
}
