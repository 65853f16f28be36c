package guard_test

import (
	"encoding/json"
	"testing"

	"durward"
)

// What only its label tells to be a credential does not leave by a tool that
// sends; in a file of the agent's own it is told.
func TestLabelledCredentialsAreNotSent(t *testing.T) {
	p := policy(t, durward.Guard{})
	for _, body := range []string{
		"aws_secret_access_key = wJ8rXUtnFEMIzK7MDENGzbPxRfiCYzQ9LmTkVa2Z", "DB_PASSWORD=Tr0ub4dor3xyzQQ11", `{"client_secret":"a8Zk2LmP9qRt4VwXy7Bc"}`, "machine api.corp.example login bot password a8Zk2LmP9qRt4VwXy7Bc",
		"curl -u admin:Tr0ub4dor3xyz https://a.example/", "otpauth://totp/ACME:me?secret=JBSWY3DPEHPK3PXQ7ZKL&issuer=ACME", "The root password is Tr0ub4dor3xyz.", "Das Passwort lautet Tr0ub4dor3xyz.",
	} {
		raw, _ := json.Marshal(map[string]string{"to": "a@x.example", "body": body})
		if v := p.Scope("bot", operation("send_mail")).Arguments(raw); v.Effect != durward.Deny {
			t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
		}
		raw, _ = json.Marshal(map[string]string{"path": "a", "content": body})
		if v := p.Scope("bot", operation("write_file")).Arguments(raw); v.Effect != durward.Flag {
			t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
		}
	}
	for _, body := range []string{"Your password expires on 2026-12-01.", "set PASSWORD=${DB_PASS}", "password: ********", "nextPageToken=CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA", "The API key is in the vault."} {
		raw, _ := json.Marshal(map[string]string{"to": "a@x.example", "body": body})
		if v := p.Scope("bot", operation("send_mail")).Arguments(raw); v.Effect <= durward.Hold {
			t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
		}
	}
}
