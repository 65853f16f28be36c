package edge

import (
	"durward"
	"durward/internal/httpwire"
	"net/url"
	"strings"
)

// credentialOf returns what the caller presented, at most one credential. What
// it is worth is not decided here.
func credentialOf(x *httpwire.Exchange) (durward.Credential, error) {
	if q := x.RawQuery(); q != "" && holdsCredential(q) {
		return durward.Credential{}, bad(durward.ReasonCredentialInQuery,
			"A key in a URL ends up in logs and histories: send it as 'Authorization: Bearer <key>' and consider this one leaked.")
	}
	h := x.Header()
	if len(h["Authorization"]) > 1 || len(h["X-Api-Key"]) > 1 {
		return durward.Credential{}, bad(durward.ReasonCredentialConflict, "A credential header was sent twice; send one.")
	}
	key := strings.TrimSpace(x.Get("X-Api-Key"))
	bearer, err := bearerOf(x.Get("Authorization"))
	if err != nil {
		return durward.Credential{}, err
	}
	if bearer != "" && key != "" && bearer != key { // both are the caller's own: no secret is compared
		return durward.Credential{}, bad(durward.ReasonCredentialConflict, "Authorization and X-API-Key hold different keys; send one.")
	}
	if bearer != "" {
		return durward.NewCredential(bearer), nil
	}
	return durward.NewCredential(key), nil
}

// bearerOf returns the token of an Authorization header; "" when it is absent.
func bearerOf(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,\t") {
		return "", &durward.Error{
			Code: durward.Unauthenticated, Reason: durward.ReasonKeyMalformed,
			Message: "The Authorization header is not of the form 'Bearer <key>'.",
		}
	}
	return token, nil
}

// holdsCredential reports whether a raw query has a field that clients put
// keys into, or one of our keys in any field.
func holdsCredential(raw string) bool {
	for pair := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(unescaped(value), "dwk_") {
			return true
		}
		switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(unescaped(name))) {
		case "key", "apikey", "xapikey", "accesskey", "token", "accesstoken", "authtoken", "bearer", "authorization":
			return true
		}
	}
	return false
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func bad(r durward.Reason, msg string) *durward.Error {
	return &durward.Error{Code: durward.BadRequest, Reason: r, Message: msg}
}
