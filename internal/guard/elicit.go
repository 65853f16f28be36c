package guard

import (
	"strings"

	"durward/internal/guard/carrier"
)

// Ask inspects what a server asks of a person or a model: the params of an
// elicitation or a sampling request. A form must not ask for secrets (MCP
// 2026-07-28, elicitation); its texts are read like a result's.
func (e *Engine) Ask(params []byte) *Report {
	r := newReport()
	carrier.Walk(params, func(path []string, value []byte, key bool) {
		if key {
			if n := len(path); n > 0 && path[n-1] == "properties" && asksSecret(string(value)) {
				e.add(r, rule("elicitation.secret"), 0.95, "/"+strings.Join(path, "/"), "asks for "+string(value))
			}
			return
		}
		if len(value) < 4 {
			return
		}
		t := e.Text(value)
		t = &Report{Effect: t.Effect, Would: t.Would, Score: t.Score, Partial: t.Partial, Findings: append(t.Findings[:0:0], t.Findings...)}
		t.Prefix("/" + strings.Join(path, "/") + " ")
		r.Merge(t)
		if requestsSecret(strings.ToLower(string(value))) {
			e.add(r, rule("elicitation.secret"), 0.85, "/"+strings.Join(path, "/"), "asks for a credential")
		}
	})
	return r
}

// asksSecret reports names of fields that hold credentials.
func asksSecret(name string) bool {
	n := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	for _, w := range []string{"password", "passwd", "passphrase", "secret", "apikey", "accesstoken", "authtoken", "privatekey", "seedphrase", "mnemonic", "otp", "onetimecode", "pin", "cvv", "cvc", "cardnumber", "ssn", "socialsecurity", "credential"} {
		if n == w || len(w) > 4 && strings.Contains(n, w) {
			return true
		}
	}
	return false
}

// requestsSecret reports a question for a credential.
func requestsSecret(s string) bool {
	asks, secret := false, false
	for _, w := range []string{"enter", "provide", "type", "confirm", "please give", "what is your", "tell us", "supply", "paste", "submit"} {
		asks = asks || strings.Contains(s, w)
	}
	for _, w := range []string{"password", "passphrase", "api key", "secret key", "access token", "private key", "seed phrase", "recovery phrase", "one-time code", "verification code", "security code", "card number", "cvv", "pin code", "credentials"} {
		secret = secret || strings.Contains(s, w)
	}
	return asks && secret
}
