package dlp_test

import (
	"math/rand"
	"strings"
	"testing"

	"durward/internal/guard/dlp"
)

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	hexes   = "0123456789abcdef"
)

// made replaces each # by a letter or digit, each ~ by a hexadecimal digit and
// each ^ by a digit: nobody's secrets.
func made(r *rand.Rand, form string) string {
	out := []byte(form)
	for i, c := range out {
		switch c {
		case '#':
			out[i] = letters[r.Intn(len(letters))]
		case '~':
			out[i] = hexes[r.Intn(len(hexes))]
		case '^':
			out[i] = hexes[r.Intn(10)]
		}
	}
	return strings.Replace(string(out), "TILDE", "~", 1)
}

func many(s string, n int) string { return strings.Repeat(s, n) }

// Kinds that are met less often than those of TestFound.
func TestRarerKindsAreFound(t *testing.T) {
	const uuid = "~~~~~~~~-~~~~-4~~~-a~~~-~~~~~~~~~~~~"
	r := rand.New(rand.NewSource(7))
	for name, form := range map[string]string{
		"a UUID that is a key": "HEROKU_API_KEY=" + uuid, "a UUID that is a token": "SNYK_TOKEN=" + uuid, "npmrc": "//npm.example/:_authToken=" + uuid, "a header": "X-Postmark-Server-Token: " + uuid,
		"an unprefixed key": "CLOUDFLARE_API_TOKEN=" + many("#", 40), "a name of three words": `"SecretAccessKey": "` + many("#", 40) + `"`, "a wallet": `"privateKey": "0x` + many("~", 64) + `"`,
		"seed words": "Seed phrase: legal winner thank year wave sausage worth useful legal winner thank yellow", "a browser's token": "xoxc-^^^^^^^^^^^^-^^^^^^^^^^^^-" + many("~", 64), "an application": "###8QTILDE" + many("#", 34),
		"airtable": "pat" + many("#", 14) + "." + many("~", 64), "asana": "1/" + many("^", 16) + ":" + many("~", 32), "mailchimp": many("~", 32) + "-us12", "bcrypt": "$2b$12$" + many("#", 53), "shadow": "root:$6$" + many("#", 16) + "$" + many("#", 86) + ":18000:0:99999:7:::",
		"netrc": "machine api.x.example login ann password " + "Zk3" + many("#", 11), "docker": `{"auths":{"r.example":{"auth":"YW5uOnM0Y3IzdFA0c3N3MHJk"}}}`, "curl": "curl -u admin:Zk3v" + many("#", 9) + "7 https://x.example", "mysql": "mysql -u root -pZk3v" + many("#", 9) + "7 prod",
		"an option": "deploy --password Zk3v" + many("#", 10) + "7 --host x", "a sentence": "The admin password is Zk3v!" + many("#", 8) + "7 for now.", "a sentence without a verb": "use the API key Zk3v7" + many("#", 28) + " to log in",
		"a cookie": "Set-Cookie: theme=dark; session=Zk3v7" + many("#", 35) + "; HttpOnly", "a session": "JSESSIONID=Zk37" + many("#", 28), "okta": "Authorization: SSWS 00Zk3v7" + many("#", 35), "redis": "redis://:Zk3v7" + many("#", 11) + "@cache:6379/0",
		"a key of GPG": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + many("#", 64) + "\n" + many("#", 64) + "\n-----END PGP PRIVATE KEY BLOCK-----", "langsmith": "lsv2_pt_" + many("~", 32) + "_" + many("~", 10), "planetscale": "pscale_tkn_" + many("#", 43), "sonar": "squ_" + many("~", 40),
		"a phone": "call (555) 769-0737 today", "a social security number": "her number is 536-22-8145.", "a passport": "passport number 123456789", "an account": "Account number: 123456789012",
	} {
		for range 20 {
			s := made(r, form)
			if finds, _ := dlp.Look(nil, []byte("Settings of the site\n"+s+"\nand more")); len(finds) == 0 {
				t.Errorf("%s: %s is not found", name, s)
				break
			}
		}
	}
}

func TestOrdinaryNamesAreLeft(t *testing.T) {
	for _, s := range []string{
		"tokens = 2*maxCompilerConcurrency", "--secret my-test-key-but-now-longer-than-32-bytes", "s.setUserArenaChunkToFault()", "sha256=qaN-fw_htIgKUVXoAuAEVgKxQu3tZ9qE2eiKkWIS7LA", "'payment_context_token': '60a8e027-8b8b-4ccf-b2b9-380ed0930283'",
		"the password is required and must be at least 12 characters", "the token is expired", "use the API key that you were given", "MaxScanTokenSize", "Cookie: theme=dark; lang=en-US", "mysql -u root -p", "curl -u admin https://x.example", "ratio 1/12345:67",
		`{"next_page_token":"CiAKGjBpNDd2Nmp2Zml2cXRwb2I2Nms4cmo","nextPageToken":"CiAKGjBpNDd2Nmp2Zml2cXRwb2I2Nms4cmo"}`, `{"cursor":"eyJvZmZzZXQiOjEwMCwidG9rZW4iOiJhYmNkMTIzNEVGR0g1Njc4In0="}`, "continuationToken=Zk3v9Qw8Er7Ty6Ui5Op4As3D",
		"https://s3.amazonaws.com/b/k?X-Amz-Credential=AKIA" + "QZ7RT2YB4KD9WX3M%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=6c1726b32342aa0ec02abc9f3d820fdd96c97170",
		"secret: \"\\u3299\\ufe0f\"", "build 2026.11.22-615449", "version 123-45-678", "mnemonic: ADD, SUB, MUL", "(2020) 123-4567", "AAAAAAAAAAAAAAAAAAAAACQMAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAOAAAAHAAAAAwAAAAvdXNyL2xpYi9keWxkAAAAGwAAABg",
	} {
		if finds, _ := dlp.Look(nil, []byte(s)); len(finds) > 0 {
			t.Errorf("%s: %+v", s, finds)
		}
	}
}
