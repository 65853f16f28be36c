package guard_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"durward"
)

// written are ways to write a secret that a reader of the result can undo.
var written = map[string]func(string) string{
	"plain":      func(s string) string { return s },
	"base64":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url":  func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"hex":        func(s string) string { return hex.EncodeToString([]byte(s)) },
	"zero width": func(s string) string { return s[:9] + "\u200b" + s[9:] },
	"percent": func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
		return b.String()
	},
	"JSON": func(s string) string { b, _ := json.Marshal(map[string]string{"token": s}); return string(b) },
	"JSON twice": func(s string) string {
		b, _ := json.Marshal(`{"token":"` + strings.ReplaceAll(s, "_", `\u005f`) + `"}`)
		return string(b)
	},
	"an assignment": func(s string) string { return "GITHUB_TOKEN='" + s + "'" },
	"an address":    func(s string) string { return "https://x.example/cb?access_token=" + url.QueryEscape(s) + "&state=1" },
}

var tokenForm = regexp.MustCompile(`\[secret:[a-z_]+:[0-9a-f]{6}\]`)

// A secret has the same token in every carrier and form, and nothing of it
// is left, not even encoded.
func TestOneTokenInEveryCarrierAndForm(t *testing.T) {
	s := scope(t, durward.Guard{})
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	carriers := map[string]func(string) string{
		"text": func(v string) string { return `{"content":[{"type":"text","text":` + q("The value: "+v) + `}]}` },
		"long text": func(v string) string {
			return `{"content":[{"type":"text","text":` + q(strings.Repeat("All is well today. ", 90)+v) + `}]}`
		},
		"structured": func(v string) string { return `{"content":[],"structuredContent":{"a":{"value":` + q(v) + `}}}` },
		"a label":    func(v string) string { return `{"content":[],"structuredContent":{"password":` + q(v) + `}}` },
		"a resource": func(v string) string { return `{"contents":[{"uri":"x://y","text":` + q(v) + `}]}` },
		"a blob":     func(v string) string { return `{"contents":[{"uri":"x://y","blob":` + q(v) + `}]}` },
		"image data": func(v string) string {
			return `{"content":[{"type":"image","mimeType":"image/png","data":` + q(v) + `}]}`
		},
		"a name":   func(v string) string { return `{"content":[],"structuredContent":{` + q(v) + `:1}}` },
		"an error": func(v string) string { return `{"code":-32000,"message":` + q("refused: "+v) + `}` },
		"JSON inside": func(v string) string {
			return `{"content":[{"type":"text","text":` + q(`{"rows":[{"v":`+q(v)+`}]}`) + `}]}`
		},
	}
	want := tokenForm.FindString(string(s.Read(textResult(leaked), durward.Deny).Body))
	if want == "" {
		t.Fatal("no token")
	}
	for carrier, put := range carriers {
		for form, write := range written {
			raw := []byte(put(write(leaked)))
			v := s.Read(raw, durward.Deny)
			body := string(v.Body)
			if v.Effect != durward.Redact || !json.Valid(v.Body) {
				t.Errorf("%s in %s: %s %s %+v", form, carrier, v.Effect, body, v.Findings)
				continue
			}
			if got := tokenForm.FindString(unblob(body)); got != want {
				t.Errorf("%s in %s: %s, want %s: %s", form, carrier, got, want, body)
			}
			if left := remains(body, leaked); left != "" {
				t.Errorf("%s in %s: %q is left in %s", form, carrier, left, body)
			}
			if again := s.Read(v.Body, durward.Deny); again.Changed() {
				t.Errorf("%s in %s: redacted again: %s", form, carrier, again.Body)
			}
		}
	}
}

// unblob opens what was encoded again after something was cut out of it.
func unblob(body string) string {
	for _, m := range regexp.MustCompile(`"(?:data|blob)":"([A-Za-z0-9+/=]+)"`).FindAllStringSubmatch(body, -1) {
		if raw, err := base64.StdEncoding.DecodeString(m[1]); err == nil {
			body += string(raw)
		}
	}
	return body
}

// remains returns eight bytes of a secret that a text holds in some form.
func remains(text, secret string) string {
	for i := 0; i+8 <= len(secret); i++ {
		piece := secret[i : i+8]
		for _, form := range []string{piece, hex.EncodeToString([]byte(piece)), url.QueryEscape(piece), base64.RawStdEncoding.EncodeToString([]byte(piece))[:10]} {
			if strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

func TestEncodedSecretsDoNotLeave(t *testing.T) {
	s := policy(t, durward.Guard{}).Scope("bot", operation("add_note"))
	for form, write := range written {
		for _, field := range []string{"text", "undeclared_password", "data"} {
			b, _ := json.Marshal(map[string]string{field: write(leaked)})
			if v := s.Arguments(b); v.Effect != durward.Deny {
				t.Errorf("%s in %s: %s %+v", form, field, v.Effect, v.Findings)
			}
		}
	}
}
