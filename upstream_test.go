package durward_test

import (
	"encoding/json"
	"strings"
	"testing"

	"durward"
)

func TestNoSecretOfAnUpstreamIsShown(t *testing.T) {
	const secret = "Zk3v9Qw8Er7"
	u := durward.Upstream{
		Name: "crm", URL: "https://crm.example/mcp?key=" + secret, Headers: map[string]string{"Authorization": "Bearer " + secret},
		Env: map[string]string{"TOKEN": secret}, OAuth: &durward.OAuth{ClientID: "id", ClientSecret: secret},
	}
	shown, err := json.Marshal(u.WithoutSecrets())
	if err != nil || strings.Contains(string(shown), secret) {
		t.Errorf("WithoutSecrets = %s, %v", shown, err)
	}
	for _, name := range []string{"crm.example/mcp", "Authorization", "TOKEN", `"client_id":"id"`} {
		if !strings.Contains(string(shown), name) {
			t.Errorf("WithoutSecrets = %s, without %s", shown, name)
		}
	}
	if u.Env["TOKEN"] != secret || u.OAuth.ClientSecret != secret {
		t.Error("the upstream itself was changed")
	}
}
