package durward

import "net/url"

const redacted = "[redacted]"

// WithoutSecrets is the upstream as it may be shown: the values of its
// environment and headers, the query of its URL and the secret of its OAuth
// client are not in it.
func (u Upstream) WithoutSecrets() Upstream {
	u.Env, u.Headers = namesOnly(u.Env), namesOnly(u.Headers)
	if u.OAuth != nil && u.OAuth.ClientSecret != "" {
		known := *u.OAuth
		known.ClientSecret = redacted
		u.OAuth = &known
	}
	parsed, err := url.Parse(u.URL)
	if err != nil {
		u.URL = redacted
		return u
	}
	if parsed.RawQuery != "" {
		parsed.RawQuery = redacted
		u.URL = parsed.String()
	}
	return u
}

func namesOnly(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k := range m {
		out[k] = redacted
	}
	return out
}
