package guard_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
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

// A secret that is spread over strings of a message is found.
func TestSpreadSecretsAreFound(t *testing.T) {
	s := scope(t, durward.Guard{})
	out := policy(t, durward.Guard{}).Scope("bot", operation("add_note"))
	body := strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n", 24)
	slack := "xoxb-" + "730723358923-678300934811-kO7yGA5a7SIg3GTvgHfGt1Af"
	for name, c := range map[string]struct{ raw, secret string }{
		"two fields":                    {`{"part1":"` + leaked[:17] + `","part2":"` + leaked[17:] + `","status":"active"}`, leaked},
		"two fields of others":          {`{"a":"x","head":"` + leaked[:9] + `","tail":"` + leaked[9:] + `","id":"7f3a9c21"}`, leaked},
		"a list":                        {`{"chunks":["` + leaked[:10] + `","` + leaked[10:20] + `","` + leaked[20:30] + `","` + leaked[30:] + `","end"]}`, leaked},
		"a list of short ones":          {`{"chunks":["` + strings.Join(chunks(leaked, 4), `","`) + `"]}`, leaked},
		"a list of letters":             {`{"chunks":["` + strings.Join(chunks(leaked, 1), `","`) + `"]}`, leaked},
		"two blocks":                    {`{"content":[{"type":"text","text":"The token is ` + leaked[:20] + `"},{"type":"text","text":"` + leaked[20:] + ` and that was it."}]}`, leaked},
		"two blocks with words":         {`{"content":[{"type":"text","text":"First half: ` + leaked[:20] + `"},{"type":"text","text":"Second half: ` + leaked[20:] + `."}]}`, leaked},
		"rows with names":               {`{"rows":[{"name":"first","value":"` + leaked[:14] + `"},{"name":"second","value":"` + leaked[14:28] + `"},{"name":"third","value":"` + leaked[28:] + `"}]}`, leaked},
		"backwards":                     {`{"part2":"` + leaked[17:] + `","part1":"` + leaked[:17] + `"}`, leaked},
		"a form of any length":          {`{"a":"` + slack[:20] + `","b":"` + slack[20:] + `","c":"done"}`, slack},
		"the first part could be whole": {`{"part1":"` + slack[:40] + `","part2":"` + slack[40:] + `","id":"7f3a9c21"}`, slack},
		"an encoding in two fields":     {`{"part1":"` + written["base64"](leaked)[:21] + `","part2":"` + written["base64"](leaked)[21:] + `","status":"active"}`, leaked},
		"an encoding in blocks":         {`{"content":[{"type":"text","text":"` + written["hex"](leaked)[:30] + `"},{"type":"text","text":"` + written["hex"](leaked)[30:] + `"},{"type":"text","text":"that was it"}]}`, leaked},
		"long blocks":                   {`{"content":[{"type":"text","text":"` + strings.Repeat("All is well today. ", 90) + leaked[:20] + `"},{"type":"text","text":"` + leaked[20:] + strings.Repeat(" All is well today.", 90) + `"}]}`, leaked},
		"a key in lines":                {`{"lines":["-----BEGIN PRIVATE KEY-----","` + strings.Join(strings.Fields(body), `","`) + `","-----END PRIVATE KEY-----","done"]}`, "MIIEvQIBADANBgkq"},
		"a key in blocks":               {`{"content":[{"type":"text","text":"-----BEGIN RSA PRIVATE KEY-----"},{"type":"text","text":"` + strings.ReplaceAll(body, "\n", `\n`) + `"},{"type":"text","text":"-----END RSA PRIVATE KEY-----\nbye"}]}`, "MIIEvQIBADANBgkq"},
		"a key without its end":         {`{"content":[{"type":"text","text":"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIDx"},{"type":"text","text":"` + strings.ReplaceAll(body, "\n", `\n`) + `"}]}`, "MIIEvQIBADANBgkq"},
		"beside another secret":         {`{"content":[{"type":"text","text":"AKIA` + `QZ7RT2YB4KD9WX3M and ` + leaked[:20] + `"},{"type":"text","text":"` + leaked[20:] + `"}]}`, leaked},
		"fields in different places":    {`{"a":{"one":"` + leaked[:20] + `"},"b":{"two":"` + leaked[20:] + `"}}`, leaked},
	} {
		raw := []byte(c.raw)
		if !json.Valid(raw) {
			t.Fatalf("%s: %s", name, raw)
		}
		v := s.Read(raw, durward.Deny)
		if v.Effect != durward.Redact || !json.Valid(v.Body) {
			t.Errorf("%s: %s %+v: %s", name, v.Effect, v.Findings, v.Body)
			continue
		}
		if left := remains(string(v.Body), c.secret); left != "" {
			t.Errorf("%s: %q is left in %s", name, left, v.Body)
		}
		if c.secret == leaked {
			want := tokenForm.FindString(string(s.Read(textResult(leaked), durward.Deny).Body))
			if !strings.Contains(string(v.Body), want) {
				t.Errorf("%s: %s, want %s", name, v.Body, want)
			}
		}
		for _, stays := range []string{"active", "7f3a9c21", "end", "done", "that was it", "bye", "second", "All is well today. All"} {
			if strings.Contains(c.raw, stays) && !strings.Contains(string(v.Body), stays) {
				t.Errorf("%s: %q is gone: %s", name, stays, v.Body)
			}
		}
		if v := out.Arguments(raw); v.Effect != durward.Deny {
			t.Errorf("%s as arguments: %s %+v", name, v.Effect, v.Findings)
		}
	}
}

func chunks(s string, n int) (out []string) {
	for ; len(s) > n; s = s[n:] {
		out = append(out, s[:n])
	}
	return append(out, s)
}

func TestOrdinaryNeighboursAreLeft(t *testing.T) {
	s := scope(t, durward.Guard{})
	for _, raw := range []string{
		`{"tags":["sk-learn","scikit-learn","xgboost2","python3-numpy"],"ids":["AKIA","7f3a9c21d0aa9b1c","A","s","g"]}`,
		`{"rows":[{"name":"npm_","value":"install-packages-2"},{"name":"ghp_","value":"prefix of GitHub tokens"}]}`,
		`{"prefixes":["ghp_","gho_","github_pat_","glpat-","xoxb-","sk_live_","AKIA","npm_","hf_"]}`,
		`{"a":"-----BEGIN CERTIFICATE-----","b":"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"}`,
		`{"name":"x","id":"7f3a9c21"}`,
		`{"pages":[{"id":"eyJ","next":"7f3a9c21d0aa9b1c77aa01ee3f2ab4c1"}]}`,
	} {
		if v := s.Read([]byte(raw), durward.Deny); v.Effect != durward.Allow {
			t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
		}
	}
}

// What one place of a message tells to be a secret is one in all others.
func TestRepeatedSecretsAreCutOutEverywhere(t *testing.T) {
	s := scope(t, durward.Guard{})
	const value = "T7#kq9Lm2xVbb81!"
	raw := []byte(`{"content":[{"type":"text","text":"log in as ann with ` + value + ` and wait"}],"structuredContent":{"password":"` + value + `","` + value + `":["` + value + `"]},"requestState":"` + value + `"}`)
	v := s.Read(raw, durward.Deny)
	if !json.Valid(v.Body) || strings.Count(string(v.Body), "kq9Lm2") != 1 || !strings.Contains(string(v.Body), `"requestState":"`+value) {
		t.Errorf("became %s", v.Body)
	}
	if n := len(tokenForm.FindAllString(string(v.Body), -1)); n != 4 {
		t.Errorf("%d tokens in %s", n, v.Body)
	}
}

// Wherever a secret is cut, and whatever stands around it in the message, what
// goes on is JSON and holds nothing of it.
func FuzzSecretsInMessages(f *testing.F) {
	f.Add("note", "some words", uint8(10), uint8(0), uint8(0))
	f.Add("text", "-----BEGIN PRIVATE KEY-----", uint8(20), uint8(1), uint8(3))
	f.Add("password", "password: \u200b%41", uint8(33), uint8(2), uint8(5))
	s := scope(f, durward.Guard{})
	var forms []string
	for name := range written {
		forms = append(forms, name)
	}
	slices.Sort(forms)
	f.Fuzz(func(t *testing.T, key, other string, at, shape, form uint8) {
		whole := written[forms[int(form)%len(forms)]](leaked)
		cut := 5 + int(at)%(len(leaked)-10)
		for _, w := range []string{key, other} {
			if remains(w, leaked) != "" {
				return
			}
		}
		var v any
		switch shape % 5 {
		case 0:
			v = map[string]any{"a": other, "b": whole, key: other}
		case 1:
			v = map[string]any{"list": []string{leaked[:cut], leaked[cut:], other}}
		case 2:
			v = map[string]any{"content": []any{map[string]any{"type": "text", "text": other + "\n" + whole}, map[string]any{"type": "text", "text": other}}}
		case 3:
			v = map[string]any{"content": []any{map[string]any{"type": "text", "text": "one: " + leaked[:cut]}, map[string]any{"type": "text", "text": leaked[cut:] + " " + other}}}
		case 4:
			v = map[string]any{key: []any{1, whole, map[string]any{"blob": base64.StdEncoding.EncodeToString([]byte(other + "\n" + whole))}}}
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return
		}
		seen := s.Read(raw, durward.Deny)
		body := raw
		if seen.Body != nil {
			body = seen.Body
		}
		if seen.Effect <= durward.Hold {
			return // nothing goes on
		}
		if !json.Valid(body) {
			t.Fatalf("%s became %s", raw, body)
		}
		if left := remains(unblob(string(body)), leaked); left != "" {
			t.Errorf("%q is left of %s in %s", left, raw, body)
		}
	})
}

// What stands beside a whole secret stays.
func TestNeighboursOfASecretStay(t *testing.T) {
	s := scope(t, durward.Guard{})
	slack := "xoxb-" + "730723358923-678300934811-kO7yGA5a7SIg3GTvgHfGt1Af"
	other := "xoxb-" + "123456789012-678300934811-Zk3v9Qw8Er7Ty6Ui5Op4As3D"
	for _, raw := range []string{
		`{"token":"` + slack + `","id":"7f3a9c21"}`, `{"id":"7f3a9c21","token":"` + slack + `","name":"Build12"}`, `{"rows":[{"n":"a","value":"` + slack + `"},{"n":"b","value":"7f3a9c21"}]}`, `{"tokens":["` + slack + `","` + other + `"],"id":"7f3a9c21"}`,
	} {
		v := s.Read([]byte(raw), durward.Deny)
		if v.Effect != durward.Redact || strings.Contains(string(v.Body), ":rest]") || !strings.Contains(string(v.Body), "7f3a9c21") || strings.Contains(string(v.Body), "678300934811") {
			t.Errorf("%s became %s", raw, v.Body)
		}
	}
}

// Neither names of members nor the protocol's own words are a way around.
func TestShortSecretsInOddPlacesAreFound(t *testing.T) {
	s := scope(t, durward.Guard{})
	out := policy(t, durward.Guard{}).Scope("bot", operation("add_note"))
	id := "AKIA" + "QZ7RT2YB4KD9WX3M"
	for _, raw := range []string{
		`{"structuredContent":{"` + id + `":1}}`, `{"content":[{"type":"` + id + `"}]}`, `{"contents":[{"uri":"x://` + id + `","mimeType":"` + id + `"}]}`, `{"structuredContent":{"` + id + `":{"a":[true]}}}`,
	} {
		if v := s.Read([]byte(raw), durward.Deny); v.Effect != durward.Redact || strings.Contains(string(v.Body), "QZ7RT2YB") || !json.Valid(v.Body) {
			t.Errorf("%s: %s %s", raw, v.Effect, v.Body)
		}
		if v := out.Arguments([]byte(raw)); v.Effect != durward.Deny {
			t.Errorf("%s as arguments: %s", raw, v.Effect)
		}
	}
}
