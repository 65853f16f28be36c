package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"durward"
	"durward/internal/control"
)

// Client speaks to the admin API of a running gateway. Refusals come back as
// the *durward.Error that they were.
type Client struct {
	base string
	key  durward.Credential
	http *http.Client
}

// NewClient makes a client of the admin API at base, such as
// http://127.0.0.1:8081, with an operator's key or a run's token.
func NewClient(base string, key durward.Credential) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil // the token is for this gateway, not for a proxy
	t.MaxIdleConnsPerHost = 2
	return &Client{
		base: strings.TrimRight(base, "/"),
		key:  key,
		http: &http.Client{
			Transport:     t,
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status tells of the gateway.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, "GET", "status", nil)
}

// Config is the configuration in effect as YAML, without secrets.
func (c *Client) Config(ctx context.Context) ([]byte, error) {
	return c.do(ctx, "GET", "config", nil)
}

// Agents lists all agents.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	l, err := ask[list[Agent]](ctx, c, "GET", "agents", nil)
	return l.Items, err
}

// Agent tells of one agent.
func (c *Client) Agent(ctx context.Context, name string) (Agent, error) {
	return ask[Agent](ctx, c, "GET", "agents/"+url.PathEscape(name), nil)
}

// CreateAgent makes an agent and mints its first key.
func (c *Client) CreateAgent(ctx context.Context, in NewAgent) (Minted, error) {
	return ask[Minted](ctx, c, "POST", "agents", in)
}

// SetAgentRoles replaces the roles of an agent.
func (c *Client) SetAgentRoles(ctx context.Context, name string, roles []string) error {
	if roles == nil {
		roles = []string{}
	}
	_, err := c.do(ctx, "PATCH", "agents/"+url.PathEscape(name), control.AgentEdit{Roles: &roles})
	return err
}

// SetAgentDisabled refuses or accepts again all calls of an agent.
func (c *Client) SetAgentDisabled(ctx context.Context, name string, disabled bool) error {
	_, err := c.do(ctx, "PATCH", "agents/"+url.PathEscape(name), control.AgentEdit{Disabled: &disabled})
	return err
}

// SetAgentCompat tells how an agent's mistakes in the protocol are taken.
func (c *Client) SetAgentCompat(ctx context.Context, name string, compat durward.Compat) error {
	_, err := c.do(ctx, "PATCH", "agents/"+url.PathEscape(name), control.AgentEdit{Compat: &compat})
	return err
}

// DeleteAgent forgets an agent and its keys.
func (c *Client) DeleteAgent(ctx context.Context, name string) error {
	_, err := c.do(ctx, "DELETE", "agents/"+url.PathEscape(name), nil)
	return err
}

// RotateKey mints a new key for an agent; the old ones end after the overlap.
func (c *Client) RotateKey(ctx context.Context, name string, r Rotation) (Minted, error) {
	overlap := Duration(r.Overlap)
	return ask[Minted](ctx, c, "POST", "agents/"+url.PathEscape(name)+"/keys", rotation{Overlap: &overlap, Expires: r.Expires})
}

// RevokeAgent ends all keys of an agent at once and disables it.
func (c *Client) RevokeAgent(ctx context.Context, name string) error {
	_, err := c.do(ctx, "DELETE", "agents/"+url.PathEscape(name)+"/keys", nil)
	return err
}

// RevokeKey ends one key at once.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := c.do(ctx, "DELETE", "keys/"+url.PathEscape(id), nil)
	return err
}

// AdminKeys lists the operators' keys.
func (c *Client) AdminKeys(ctx context.Context) ([]Key, error) {
	l, err := ask[list[Key]](ctx, c, "GET", "keys", nil)
	return l.Items, err
}

// CreateAdminKey mints an operator's key; a zero expires never ends it.
func (c *Client) CreateAdminKey(ctx context.Context, name string, expires time.Time) (Minted, error) {
	return ask[Minted](ctx, c, "POST", "keys", newAdminKey{Name: name, Expires: expires})
}

// Upstreams lists all upstreams with their status.
func (c *Client) Upstreams(ctx context.Context) ([]Upstream, error) {
	l, err := ask[list[Upstream]](ctx, c, "GET", "upstreams", nil)
	return l.Items, err
}

// Upstream tells of one upstream.
func (c *Client) Upstream(ctx context.Context, name string) (Upstream, error) {
	return ask[Upstream](ctx, c, "GET", "upstreams/"+url.PathEscape(name), nil)
}

// AddUpstream makes a new upstream.
func (c *Client) AddUpstream(ctx context.Context, u durward.Upstream) error {
	_, err := c.do(ctx, "POST", "upstreams", Upstream{Upstream: u, Timeout: Duration(u.Timeout)})
	return err
}

// SetUpstreamDisabled takes an upstream out of use, or into use again.
func (c *Client) SetUpstreamDisabled(ctx context.Context, name string, disabled bool) error {
	_, err := c.do(ctx, "PATCH", "upstreams/"+url.PathEscape(name), upstreamEdit{Disabled: &disabled})
	return err
}

// RemoveUpstream forgets an upstream.
func (c *Client) RemoveUpstream(ctx context.Context, name string) error {
	_, err := c.do(ctx, "DELETE", "upstreams/"+url.PathEscape(name), nil)
	return err
}

// TestUpstream reaches an upstream now and tells what it offers.
func (c *Client) TestUpstream(ctx context.Context, name string) (UpstreamTest, error) {
	return ask[UpstreamTest](ctx, c, "POST", "upstreams/"+url.PathEscape(name)+"/test", nil)
}

// InspectUpstream tells all that the gateway knows of an upstream's connections.
func (c *Client) InspectUpstream(ctx context.Context, name string) (durward.UpstreamDetail, error) {
	return ask[durward.UpstreamDetail](ctx, c, "GET", "upstreams/"+url.PathEscape(name)+"/inspect", nil)
}

// Roles lists all roles.
func (c *Client) Roles(ctx context.Context) ([]Role, error) {
	l, err := ask[list[Role]](ctx, c, "GET", "roles", nil)
	return l.Items, err
}

// PutRole makes or replaces a role.
func (c *Client) PutRole(ctx context.Context, r durward.Role) error {
	_, err := c.do(ctx, "PUT", "roles/"+url.PathEscape(r.Name), rules{Allow: r.Allow, Deny: r.Deny, Hold: r.Hold})
	return err
}

// DeleteRole forgets a role.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	_, err := c.do(ctx, "DELETE", "roles/"+url.PathEscape(name), nil)
	return err
}

func ask[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	body, err := c.do(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("the gateway's answer to %s %s: %w", method, path, err)
	}
	return out, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

func (c *Client) do(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the gateway's answer: %w", err)
	}
	if res.StatusCode >= 300 {
		return nil, refusalOf(res, text)
	}
	return text, nil
}

// refusalOf is the error that the gateway answered.
func refusalOf(res *http.Response, text []byte) error {
	var p problem
	if json.Unmarshal(text, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the admin listener answered %s: is it a Durward gateway?", res.Status)
	}
	for code, status := range codes() {
		if status == res.StatusCode {
			return &durward.Error{Code: code, Reason: p.Reason, Message: p.Detail}
		}
	}
	return errors.New(p.Detail)
}
