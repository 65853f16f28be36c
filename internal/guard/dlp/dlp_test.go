package dlp_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"durward/internal/guard/dlp"
)

// The values are made up; parts are joined so that no scanner of this
// repository takes them for real.
var found = []struct{ kind, text, value string }{
	{"github", "see ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"},
	{"aws_id", "key AKIA" + "QZ7RT2YB4KD9WX3M in use", "AKIA" + "QZ7RT2YB4KD9WX3M"},
	{"stripe", "sk_live_" + "Zk3v9Qw8Er7Ty6Ui5Op4As3D", "sk_live_" + "Zk3v9Qw8Er7Ty6Ui5Op4As3D"},
	{"value", `password: "T7#kq9Lm2xV!"`, "T7#kq9Lm2xV!"},
	{"value", `{"password": "T7kq9Lm2xVzz"}`, "T7kq9Lm2xVzz"},
	{"url", "postgres://app:k3J8s7Lq@db.internal:5432/prod", "k3J8s7Lq"},
	{"account", "IBAN DE89370400440532013000 please", "DE89370400440532013000"},
	{"card", "card 4539 1488 0343 6467 was used", "4539 1488 0343 6467"},
	{"id", "Driver's license: D1234567", "D1234567"},
	{"id", "DOB: 1984-03-05", "1984-03-05"},
	{"ssn", "SSN: 536-22-8145", "536-22-8145"},
	{"mails", "a.b@x.example, c.d@y.example, e.f@z.example, g@x.example, h@y.example", "c.d@y.example"},
	{"key", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"},
}

func TestFound(t *testing.T) {
	r := dlp.NewRedactor([]byte("k"))
	for _, c := range found {
		f := dlp.Append(nil, []byte(c.text))
		if len(f) == 0 || f[0].Kind != c.kind {
			t.Errorf("%q: found %+v, want %s", c.text, f, c.kind)
			continue
		}
		out := r.Redact([]byte(c.text), f)
		if bytes.Contains(out, []byte(c.value)) {
			t.Errorf("%q became %q", c.text, out)
		}
	}
}

func TestLookAlikesAreLeft(t *testing.T) {
	for _, s := range []string{
		"AKIAIOSFODNN7EXAMPLE", "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "password: ${DB_PASSWORD}", `password = os.getenv("PASSWORD")`,
		"commit 6c1726b32342aa0ec02abc9f3d820fdd96c97170", "4242 4242 4242 4242", "order 4539148803436468", "3f0c9a52-7b1e-4d7a-9a55-0f4f2c1b8e11",
		"sha256:59fa8c34e5522caea5f4a17dd3fd8567bae27f7dea41067b0d4b56632b5501bf", "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----",
		"build 2026.11.22-615449", "https://user@host.example/path", "contact me at a.b@x.example", "the token is valid for one hour", "secret: see the vault",
	} {
		if f := dlp.Append(nil, []byte(s)); len(f) > 0 {
			t.Errorf("%q: found %s", s, f[0].Kind)
		}
	}
}

func TestTokensAreStablePerKey(t *testing.T) {
	text := []byte(found[0].text)
	f := dlp.Append(nil, text)
	a, b := dlp.NewRedactor([]byte("a")), dlp.NewRedactor([]byte("b"))
	if first, again := a.Token(f[0], text), a.Token(f[0], text); first != again {
		t.Error("the token of a secret changes")
	}
	if a.Token(f[0], text) == b.Token(f[0], text) {
		t.Error("two installations make the same token")
	}
}

func TestRedactedJSONStaysJSON(t *testing.T) {
	in := `{"password": "T7kq9Lm2xVzz", "sa": {"type": "service_account", "private_key": "x"}, "n": 1}`
	out := dlp.NewRedactor(nil).Redact([]byte(in), dlp.Append(nil, []byte(in)))
	if !json.Valid(out) {
		t.Errorf("became %s", out)
	}
}

func TestLinear(t *testing.T) {
	for _, unit := range []string{"Aa", "a@", "1 ", "password=", "eyJ", "ghp_", "http://a:", "A1b2", "MTIz", "+1 ", "-----BEGIN ", "a.b@c,"} {
		in := []byte(strings.Repeat(unit, 1<<20/len(unit)))
		dlp.Append(nil, in) // the test's own time limit is the assertion
	}
}

// What was found never stands in the output.
func FuzzRedact(f *testing.F) {
	for _, c := range found {
		f.Add([]byte("before "+c.text+" after"), []byte("key"))
	}
	f.Fuzz(func(t *testing.T, in, key []byte) {
		finds := dlp.Append(nil, in)
		out := dlp.NewRedactor(key).Redact(in, finds)
		at := 0
		for _, x := range finds {
			if x.Start < at || x.End > len(in) || x.Value < x.Start || x.Value > x.End || x.Start >= x.End {
				t.Fatalf("find %+v in %d bytes, after %d", x, len(in), at)
			}
			at = x.End
			secret := in[x.Value:x.End]
			if len(secret) >= 16 && bytes.Count(in, secret) == 1 && bytes.Contains(out, secret) {
				t.Errorf("%q still holds %q", out, secret)
			}
		}
	})
}
