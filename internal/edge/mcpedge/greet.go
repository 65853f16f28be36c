package mcpedge

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"strconv"
)

// The most that is kept of what a client says of itself: a session is small.
const (
	maxCapabilities = 8 << 10
	maxName         = 256
)

// initialize opens a session (revisions until 2025-11-25).
func (f *Face) initialize(ctx context.Context, t *turn) (durward.Reply, error) {
	if t.call.Session != nil {
		return durward.Reply{}, mcpwire.InvalidRequest("This connection is initialized already")
	}
	requested, ok := mcpwire.FieldText(t.call.Input.Raw, "protocolVersion")
	if !ok {
		return durward.Reply{}, mcpwire.InvalidParams("Invalid params: protocolVersion is missing or not a string")
	}
	revision := mcpwire.Negotiate(requested)
	client, err := clientOf(t.call.Input.Raw, mcpwire.Revision(revision))
	if err != nil {
		return durward.Reply{}, err
	}
	t.call.Wire.Revision = revision
	t.call.Client = client
	about, err := f.gw.Describe(ctx, &t.call)
	if err != nil {
		return durward.Reply{}, err
	}
	opened, err := f.gw.OpenSession(ctx, &t.call, durward.Session{
		Agent: t.call.Agent.Name, KeyID: t.call.KeyID, Endpoint: t.call.Endpoint,
		Revision: t.call.Wire.Revision, Client: client,
	})
	if err != nil {
		return durward.Reply{}, err
	}
	t.opened = opened
	return durward.Reply{Result: f.greeting(t.call.Wire.Revision, about)}, nil
}

func (f *Face) greeting(revision string, d durward.Description) []byte {
	b := mcpwire.AppendQuote([]byte(`{"protocolVersion":`), revision)
	b = appendRaw(append(b, `,"capabilities":`...), d.Capabilities)
	b = append(append(b, `,"serverInfo":`...), f.opts.Server...)
	return append(appendInstructions(b, d), '}')
}

// discover answers server/discover (MCP 2026-07-28).
func (f *Face) discover(ctx context.Context, t *turn) (durward.Reply, error) {
	d, err := f.gw.Describe(ctx, &t.call)
	if err != nil {
		return durward.Reply{}, err
	}
	b := []byte(`{"resultType":"complete","supportedVersions":[`)
	for i, v := range mcpwire.Supported() {
		if i > 0 {
			b = append(b, ',')
		}
		b = mcpwire.AppendQuote(b, v)
	}
	b = appendRaw(append(b, `],"capabilities":`...), d.Capabilities)
	b = appendInstructions(b, d)
	b = strconv.AppendInt(append(b, `,"ttlMs":`...), d.TTL, 10)
	b = append(b, `,"cacheScope":"private","_meta":{"`+mcpwire.MetaServerInfo+`":`...)
	return durward.Reply{Result: append(append(b, f.opts.Server...), "}}"...), Modern: true}, nil
}

func appendInstructions(b []byte, d durward.Description) []byte {
	if d.Instructions == "" {
		return b
	}
	return mcpwire.AppendQuote(append(b, `,"instructions":`...), d.Instructions)
}

func appendRaw(b, object []byte) []byte {
	if len(object) == 0 {
		return append(b, "{}"...)
	}
	return append(b, object...)
}

// clientOf copies what a client says of itself in initialize, without what may
// be large and is for show (icons, descriptions).
func clientOf(params []byte, r mcpwire.Revision) (durward.Client, error) {
	var c durward.Client
	capabilities, ok := mcpwire.Field(params, "capabilities")
	if ok && !mcpwire.IsObject(capabilities) {
		return c, mcpwire.InvalidParams("Invalid params: capabilities is not an object")
	}
	if len(capabilities) > maxCapabilities {
		return c, mcpwire.InvalidParams("Invalid params: capabilities is too large")
	}
	c.Capabilities = bytes.Clone(narrow(capabilities, r))
	if info, ok := mcpwire.Field(params, "clientInfo"); ok {
		name, _ := mcpwire.FieldText(info, "name")
		version, _ := mcpwire.FieldText(info, "version")
		c.Info = mcpwire.AppendQuote([]byte(`{"name":`), clip(name))
		c.Info = append(mcpwire.AppendQuote(append(c.Info, `,"version":`...), clip(version)), '}')
	}
	return c, nil
}

// narrow leaves of a client's capabilities what its revision can do: what is
// promised to servers has to be kept. Extensions belong to no revision.
func narrow(capabilities []byte, r mcpwire.Revision) []byte {
	if capabilities == nil {
		return nil
	}
	limited := mcpwire.LimitCapabilities(string(r), capabilities)
	if extensions, ok := mcpwire.Field(capabilities, "extensions"); ok {
		limited = mcpwire.SetField(limited, "extensions", extensions)
	}
	return limited
}

func clip(s string) string { return s[:min(len(s), maxName)] }
