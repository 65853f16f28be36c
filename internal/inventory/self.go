package inventory

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"durward"
)

// Self says why a server would be a gateway of ours, whose addresses
// (host:port) are given: calling it would go round in a circle. "" means that
// it is another server.
func Self(u durward.Upstream, addresses []string) string {
	for _, s := range append([]string{u.URL}, u.Args...) { // an argument of a bridge such as mcp-remote
		if isOurs(s, addresses) {
			return "its address is this gateway's own"
		}
	}
	return ""
}

// isSelf says why a declaration of a client is no server to put behind a
// gateway: it is ours, or goes through one of our kind already.
func isSelf(u durward.Upstream, addresses []string) string {
	base := strings.TrimSuffix(strings.ToLower(u.Command[1+strings.LastIndexAny(u.Command, `/\`):]), ".exe")
	isExample := len(u.Args) > 0 && u.Args[0] == "example"
	switch why := Self(u, addresses); {
	case base == "durward" && !isExample:
		return "is this gateway, left out"
	case why != "":
		return "is this gateway (" + why + "), left out"
	case len(Keys(u)) > 0:
		return "goes through a Durward gateway already (its key begins with " + keyPrefix + "), left out; `durward upstream add` takes it if it is another one"
	}
	return ""
}

// keyPrefix begins the keys that a gateway mints.
const keyPrefix = "dwk_"

// Keys returns the keys of gateways that a declaration sends or hands on.
func Keys(u durward.Upstream) []string {
	texts := append([]string{u.URL}, u.Args...)
	for _, m := range []map[string]string{u.Headers, u.Env} {
		for _, v := range m {
			texts = append(texts, v)
		}
	}
	var keys []string
	for _, t := range texts {
		if i := strings.Index(t, keyPrefix); i >= 0 {
			key := t[i:]
			end := strings.IndexFunc(key, func(r rune) bool { return !isKeyRune(r) })
			if end > 0 {
				key = key[:end]
			}
			keys = append(keys, key)
		}
	}
	return keys
}

func isKeyRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func isOurs(s string, self []string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	return slices.ContainsFunc(self, func(addr string) bool { return sameAddress(u, addr) })
}

func sameAddress(u *url.URL, addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != portOf(u) {
		return false
	}
	name := hostName(u.Hostname())
	return name == hostName(host) || isHere(name) && isHere(hostName(host))
}

func hostName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// isHere reports whether a host is this machine in any spelling: a loopback
// address, or the address of every interface, which leads to loopback.
func isHere(host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}
