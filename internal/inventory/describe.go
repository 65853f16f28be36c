package inventory

import (
	"net/url"
	"regexp"
	"strings"

	"durward"
)

const hidden = "***"

var (
	secretName = regexp.MustCompile(`(?i)(key|token|secret|passw|pwd|auth|credential|cookie|dsn|bearer)`)
	secretLook = regexp.MustCompile(`^(sk-|ghp_|gho_|github_pat_|xox[a-z]-|dwk_|AKIA|eyJ)|^[A-Za-z0-9+_=-]{24,}$`)
	hasDigit   = regexp.MustCompile(`[0-9]`)
	hasLetter  = regexp.MustCompile(`[A-Za-z]`)
)

// Describe says on one line what an upstream is, for a person who has to agree
// to it. Environment and headers are left out; what looks like a secret among
// the arguments or in the URL is hidden.
func Describe(u durward.Upstream) string {
	if u.URL != "" {
		return describeURL(u.URL)
	}
	words := []string{u.Command}
	afterSecret := false
	for _, a := range u.Args {
		words = append(words, describeArg(a, afterSecret))
		afterSecret = strings.HasPrefix(a, "-") && !strings.Contains(a, "=") && secretName.MatchString(a)
	}
	line := strings.Join(words, " ")
	if len(line) > 200 {
		line = strings.ToValidUTF8(line[:197], "") + "..."
	}
	return clean(line)
}

func describeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return hidden
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	return clean(u.String())
}

func describeArg(a string, secret bool) string {
	switch name, _, ok := strings.Cut(a, "="); {
	case secret, secretLook.MatchString(a) && hasDigit.MatchString(a) && hasLetter.MatchString(a):
		return hidden
	case ok && strings.HasPrefix(a, "-") && secretName.MatchString(name):
		return name + "=" + hidden
	case strings.Contains(a, "://"):
		return describeURL(a)
	case ok && secretName.MatchString(name):
		return name + "=" + hidden
	case strings.Contains(a, ":") && secretName.MatchString(a):
		return hidden // "Authorization: Bearer ..."
	}
	return a
}

// clean keeps control characters of a foreign file off the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}
