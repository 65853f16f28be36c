package notary

import (
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"

	"durward"
	"durward/internal/guard/dlp"
	"durward/internal/mcpwire"
)

// server is what an upstream is, as a definition: how it is reached, and what
// it calls itself.
type server struct {
	Transport string   `json:"transport"`
	Address   string   `json:"address,omitempty"`
	Command   []string `json:"command,omitempty"`
	Package   string   `json:"package,omitempty"`
	Key       string   `json:"key,omitempty"` // SHA-256 of the public key of its certificate
	Name      string   `json:"name,omitempty"`
	Version   string   `json:"version,omitempty"`
}

// selfDescribed are the groups of a server's pin that make it no other server:
// its own word, and a key that is renewed with each certificate.
func selfDescribed() []string { return []string{"name", "version", "key"} }

// Server describes an upstream as it is declared and as it says it is. What
// may be a secret in its address is left out, so that a rotated token makes no
// other server of it and nothing of it gets into a lock file; and so is the
// folder of its program, which differs between the machines that share one.
func Server(up *durward.Upstream, info []byte, key string) []byte {
	s := server{Transport: up.Transport, Key: key}
	s.Name, _ = mcpwire.FieldText(info, "name")
	s.Version, _ = mcpwire.FieldText(info, "version")
	if up.Command != "" {
		s.Transport = "stdio"
		s.Command = withoutSecrets(append([]string{path.Base(up.Command)}, up.Args...))
		s.Package = packageOf(up.Command, up.Args)
	} else {
		if s.Transport == "" {
			s.Transport = "http"
		}
		s.Address = address(up.URL)
	}
	out, err := json.Marshal(s)
	if err != nil { // texts always marshal
		panic(err)
	}
	return out
}

// address is a URL without what may be a secret.
func address(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		raw, _, _ = strings.Cut(raw, "?")
		return raw
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment = nil, "", false, ""
	return u.String()
}

func withoutSecrets(words []string) []string {
	out := make([]string, len(words))
	redactor := dlp.NewRedactor(nil)
	hide := false
	for i, w := range words {
		name, _, valued := strings.Cut(w, "=")
		switch {
		case hide:
			out[i] = "[redacted]"
		case valued && secretName(name):
			out[i] = name + "=[redacted]"
		default:
			finds, _ := dlp.Look(nil, []byte(w))
			out[i] = string(redactor.Redact([]byte(w), finds))
		}
		hide = !hide && !valued && strings.HasPrefix(w, "-") && secretName(w)
	}
	return out
}

func secretName(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc([]string{"token", "secret", "password", "passwd", "apikey", "api-key", "api_key", "credential"},
		func(w string) bool { return strings.Contains(s, w) })
}

// otherServer reports whether two pins of a server are of different ones; strict
// tells that what a server says of itself counts, too.
func otherServer(before, now *durward.Pin, strict bool) bool {
	own := selfDescribed()
	if strict {
		own = nil
	}
	for group, digest := range now.Groups {
		if !slices.Contains(own, group) && before.Groups[group] != digest {
			return true
		}
	}
	for group := range before.Groups {
		if _, ok := now.Groups[group]; !ok && !slices.Contains(own, group) {
			return true
		}
	}
	return false
}
