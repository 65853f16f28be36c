package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/config"
)

// listener looks at the data listener from outside, without a key.
func (d *doctor) listener(ctx context.Context, run admin.Run) {
	host := strings.TrimPrefix(run.Agents, "http://")
	_, err := newClient(endpoint(run), "").do(ctx, request{method: "server/discover"})
	var answered *httpError
	var rpc *rpcError
	switch {
	case err == nil:
		d.say(warns, "listener", "remove the anonymous agent unless you mean it", "%s serves callers without a key", run.Agents)
	case errors.As(err, &answered) && answered.status == http.StatusUnauthorized, errors.As(err, &rpc):
		d.say(fine, "listener", "", "%s answers, and wants a key", run.Agents)
	default:
		d.say(fails, "listener", "is a firewall or a proxy variable in the way?", "%s: %v", run.Agents, err)
	}
	if !config.Loopback(host) {
		d.say(warns, "listener", "put TLS before it, or listen on 127.0.0.1", "%s can be reached from other machines, and keys travel in the clear", run.Agents)
	}
}

// key tries the key that the CLI itself would use.
func (d *doctor) key(ctx context.Context, run admin.Run, f agentFlags) {
	key := d.givenKey(f)
	if key == "" {
		var err error
		if key, err = savedKey(run.Data, f.agent); err != nil {
			d.say(warns, "key", "", "%v", err)
			return
		}
	}
	if key == "" {
		d.say(warns, "key", "durward agent create NAME --role ROLE --save keeps one", "no key is saved here, so durward call has none to use")
		return
	}
	c := newClient(endpoint(run), key)
	d.eras(ctx, c)
	d.lists(ctx, c)
}

// client looks at what a client needs: an address, a way there, an answer, a
// key that is accepted, tools.
func (d *doctor) client(ctx context.Context, address, key string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		d.say(fails, "address", "write it as http://127.0.0.1:8080/mcp", "%q is no http address", address)
		return
	}
	if u.Scheme == "http" && !config.Loopback(hostPort(u)) {
		d.say(warns, "address", "use https", "the key travels in the clear to %s", u.Host)
	}
	if !d.reachable(ctx, u) {
		return
	}
	c := newClient(address, key)
	raw, err := c.do(ctx, request{method: "server/discover"})
	if !d.answers(err, key) {
		return
	}
	if err == nil {
		var found struct {
			Versions []string `json:"supportedVersions"`
		}
		_ = json.Unmarshal(raw, &found) // then no revision is named
		d.say(fine, "protocol", "", "speaks %s", strings.Join(found.Versions, ", "))
		if !slices.Contains(found.Versions, revision) {
			d.say(warns, "protocol", "", "does not speak %s, which this program speaks", revision)
		}
	}
	if err == nil {
		d.eras(ctx, c)
	}
	d.lists(ctx, c)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// reachable opens a connection, with TLS where the address says so.
func (d *doctor) reachable(ctx context.Context, u *url.URL) bool {
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if u.Scheme == "https" {
		dialer = &tls.Dialer{}
	}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(u))
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &dns):
		d.say(fails, "connection", "check the host name", "%s is not known: %v", u.Hostname(), err)
	case errors.As(err, &cert):
		d.say(fails, "connection", "the server needs a certificate that this machine trusts", "%v", err)
	case err != nil:
		d.say(fails, "connection", "is the gateway running, and does it listen on that address? durward doctor on its machine says", "%v", err)
	default:
		_ = conn.Close() // it was only to see
		d.say(fine, "connection", "", "%s answers", u.Host)
	}
	return err == nil
}

// answers tells what the first answer means.
func (d *doctor) answers(err error, key string) bool {
	var (
		answered *httpError
		rpc      *rpcError
	)
	switch {
	case err == nil:
		return true
	case errors.As(err, &rpc):
		d.say(warns, "protocol", "", "server/discover is refused: %s", rpc.Message)
		return true
	case !errors.As(err, &answered):
		d.say(fails, "protocol", "is it an MCP endpoint?", "%v", err)
		return false
	}
	switch answered.status {
	case http.StatusUnauthorized:
		d.refusedKey(answered, key)
	case http.StatusForbidden:
		d.say(fails, "key", "the operator of the gateway can say why: durward agent list", "%v", answered)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		d.say(fails, "address", "the endpoint usually ends with /mcp", "%v", answered)
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		d.say(fails, "address", "use the address that it points to; keys are not sent on", "the server redirects (%v)", answered)
	default:
		d.say(fails, "protocol", "", "%v", answered)
	}
	return false
}

func (d *doctor) refusedKey(err *httpError, key string) {
	switch {
	case key == "":
		d.say(fails, "key", "pass --key or set DURWARD_KEY", "the gateway wants a key")
	case strings.HasPrefix(key, "dwk_") && checkKey(key) != nil:
		d.say(fails, "key", "copy it again, all of it", "%v", checkKey(key))
	default:
		d.say(fails, "key", "it was revoked, has ended, or belongs to another gateway: durward agent rotate NAME mints a new one", "%v", err)
	}
}

// lists asks what the key may call.
func (d *doctor) lists(ctx context.Context, c *client) {
	all, err := c.tools(ctx)
	for i := 0; err == nil && len(all) == 0 && i < 5; i++ { // what was reached just now may still be on its way into the list
		time.Sleep(100 * time.Millisecond)
		all, err = c.tools(ctx)
	}
	switch {
	case err != nil:
		if d.answers(err, c.key) {
			d.say(fails, "tools", "", "%v", err)
		}
	case len(all) == 0:
		d.say(warns, "tools", "a role has to allow tools (durward role set), and an upstream has to answer", "the key is accepted, and may call nothing")
	default:
		d.say(fine, "tools", "", "the key is accepted, and may call %s", count(len(all), "tool"))
	}
	for _, t := range all {
		if len(t.Name) > 64 || durward.CheckPattern(t.Name) != nil {
			d.say(warns, "tools", "", "%s has a name that some clients refuse", t.Name)
		}
	}
}
