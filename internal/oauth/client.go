package oauth

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
)

// redirects is how many are followed to an authorization server's documents.
const redirects = 3

// newClient returns a client for requests to authorization servers. guard
// looks at each address before it is dialled; nil allows all.
func newClient(guard func(network, address string, _ syscall.RawConn) error) *http.Client {
	dialer := &net.Dialer{Timeout: stepTime, Control: guard}
	return &http.Client{
		Timeout: stepTime,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: stepTime,
			MaxIdleConns: 8, IdleConnTimeout: stepTime, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return errors.New("too many redirects")
			}
			return nil
		},
	}
}

// publicOnly refuses addresses that the Internet does not have.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if inside(at.Addr()) {
		return fmt.Errorf("the authorization server of a public upstream is at %s, which is not public", at.Addr())
	}
	return nil
}

func inside(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return !a.IsGlobalUnicast() || a.IsPrivate() || shared.Contains(a)
}

// private reports whether a host is one that only we reach: an address that is
// not public, or a name without a domain or in one of those kept for that.
func private(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return inside(a)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, end := range []string{"localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, end) {
			return true
		}
	}
	return !strings.Contains(host, ".")
}
