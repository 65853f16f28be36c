package edge

import (
	"durward"
	"durward/internal/httpwire"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// sources decides from where a request may come: to which host it believes to
// speak, and which web page sent it. It is what stands between a web page in
// the operator's browser and a gateway on the same machine (DNS rebinding).
type sources struct {
	names   map[string]bool // host names of ours beside the loopback ones
	origins map[string]bool // web origins that may call
	// loopback tells that only this machine can reach us.
	loopback bool
	port     string      // that we listen on
	open     func() bool // whether a caller without a credential is served
}

func newSources(opts Options) sources {
	s := sources{names: make(map[string]bool), origins: make(map[string]bool), open: opts.Anonymous}
	if s.open == nil {
		s.open = func() bool { return false }
	}
	for _, n := range opts.Names {
		s.names[strings.ToLower(n)] = true
	}
	for _, o := range opts.Origins {
		s.origins[strings.ToLower(strings.TrimSuffix(o, "/"))] = true
	}
	return s
}

// check returns the web origin that may read the answer, "" for none.
func (s sources) check(x *httpwire.Exchange) (origin string, err error) {
	if s.loopback && !s.isOurs(hostName(x.Host())) {
		return "", forbidden("This gateway listens on loopback and does not answer for that Host.")
	}
	switch sent := x.Header()["Origin"]; {
	case len(sent) == 0:
		return "", nil
	case len(sent) == 1 && s.allows(sent[0]):
		return sent[0], nil
	}
	return "", forbidden("Web pages of that Origin may not call this gateway; the operator can allow it.")
}

// allows reports whether a page of an origin may call.
func (s sources) allows(origin string) bool {
	if s.origins[strings.ToLower(origin)] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false // "null" too
	}
	name := hostName(u.Host)
	if !s.names[name] && !(s.loopback && isLoopback(name)) {
		return false
	}
	return !s.open() || s.isOwn(u, s.names[name])
}

// isOwn reports whether an origin is the gateway itself, and not another
// server on the same host: where no key is needed, any page of those could
// call. A name of ours may stand for a proxy on the usual port.
func (s sources) isOwn(u *url.URL, named bool) bool {
	port := u.Port()
	if port == "" {
		if named {
			return true
		}
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return port == s.port
}

func (s sources) isOurs(name string) bool { return isLoopback(name) || s.names[name] }

// hostName is a host in lower case without port, brackets and final dot.
func hostName(host string) string {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

func isLoopback(name string) bool {
	if name == "localhost" || name == "127.0.0.1" || name == "::1" {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// onLoopback reports whether only this machine reaches a listener.
func onLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func forbidden(msg string) *durward.Error {
	return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonRequestInvalid, Message: msg}
}

// What a browser needs to be told (CORS). Preflights carry no credential, so
// they are answered before anybody is identified.
const (
	corsMethods = "GET, POST, DELETE, OPTIONS"
	corsHeaders = "Authorization, X-API-Key, Content-Type, Accept, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, Idempotency-Key, Traceparent, Tracestate"
	corsExposed = "Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy"
	corsMaxAge  = "600"
	paramHeader = "mcp-param-"
)

// grant lets a page of an allowed origin read the answer.
func grant(x *httpwire.Exchange, origin string) {
	x.Add("Vary", "Origin")
	x.Set("Access-Control-Allow-Origin", origin)
	x.Set("Access-Control-Expose-Headers", corsExposed)
}

// preflight answers an OPTIONS request.
func preflight(x *httpwire.Exchange, origin string) {
	x.Set("Allow", corsMethods)
	if origin != "" {
		x.Set("Access-Control-Allow-Methods", corsMethods)
		x.Set("Access-Control-Allow-Headers", allowedHeaders(x.Get("Access-Control-Request-Headers")))
		x.Set("Access-Control-Max-Age", corsMaxAge)
	}
	_ = x.Answer(204, "") // a client that left needs no answer
}

// allowedHeaders adds the Mcp-Param-* headers that are asked for: they depend
// on the tool, and CORS knows no patterns where credentials are sent.
func allowedHeaders(asked string) string {
	list := corsHeaders
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.TrimSpace(name)
		if len(name) > len(paramHeader) && strings.EqualFold(name[:len(paramHeader)], paramHeader) && isToken(name) {
			list += ", " + name
		}
	}
	return list
}

// isToken reports whether s is a token of RFC 9110.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
