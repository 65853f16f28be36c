package link

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
)

// Hello is what we say of ourselves and of the client that we speak for.
type Hello struct {
	Revision     string
	Capabilities []byte // raw object
	Info         []byte // raw Implementation
}

// Welcome is what a server says of itself.
type Welcome struct {
	Revision     string
	Capabilities []byte // raw object; {} when it said none
	Info         []byte // raw Implementation; nil when it said none
	Instructions string
	TTL          []byte // raw ttlMs of server/discover
}

// maxInstructions bounds what a server says in instructions.
const maxInstructions = 64 << 10

// Initialize performs the handshake of the stateful revisions up to the
// answer; notifications/initialized is the caller's to send.
func Initialize(ctx context.Context, c Conn, id uint64, h Hello) (Welcome, error) {
	params := mcpwire.AppendQuote([]byte(`{"protocolVersion":`), h.Revision)
	params = append(append(params, `,"capabilities":`...), orEmpty(h.Capabilities)...)
	params = append(append(append(params, `,"clientInfo":`...), orEmpty(h.Info)...), '}')
	a, err := c.Do(ctx, &Call{ID: id, Method: mcpwire.MethodInitialize, Params: mcpwire.Whole(params)})
	if err != nil {
		return Welcome{}, err
	}
	if a.Error != nil {
		return Welcome{}, refusedHello(a.Error)
	}
	w := welcome(a.Result)
	v, _ := mcpwire.FieldText(a.Result, "protocolVersion")
	if !mcpwire.KnownLegacy(v) {
		return Welcome{}, Faultf(Garbled, "the server answered initialize with the unknown revision %.40q", v)
	}
	w.Revision = v
	w.Info, _ = mcpwire.Field(a.Result, "serverInfo")
	return w, nil
}

func refusedHello(e *durward.RPCError) error {
	if mcpwire.IsModernCode(e.Code) {
		return &Fault{Kind: WrongEra, RPC: e, Err: e}
	}
	return &Fault{Kind: Garbled, RPC: e, Err: fmt.Errorf("the server refused initialize: %w", e)}
}

// Discover asks a modern server what it is. An answer that is none of a modern
// server is a [WrongEra] fault; a server that speaks another modern revision
// than ours answers with an error that the caller gets to see in Fault.RPC.
func Discover(ctx context.Context, c Conn, id uint64, h Hello) (Welcome, error) {
	params := mcpwire.ModernParams(nil, mcpwire.Rewrite{}, mcpwire.RequestMeta{Capabilities: h.Capabilities, Info: h.Info})
	a, err := c.Do(ctx, &Call{ID: id, Method: mcpwire.MethodDiscover, Params: params})
	if err != nil {
		return Welcome{}, err
	}
	if a.Error != nil {
		return Welcome{}, &Fault{Kind: WrongEra, RPC: a.Error, Err: a.Error}
	}
	versions, ok := mcpwire.Field(a.Result, "supportedVersions")
	if !ok || !mcpwire.IsArray(versions) {
		return Welcome{}, Faultf(WrongEra, "the answer to server/discover names no versions")
	}
	if !Lists(versions, mcpwire.NewestModern) {
		return Welcome{}, Faultf(WrongEra, "the server does not speak %s", mcpwire.NewestModern)
	}
	w := welcome(a.Result)
	w.Revision = mcpwire.NewestModern
	w.Info, _ = mcpwire.Path(a.Result, "_meta", mcpwire.MetaServerInfo)
	w.TTL, _ = mcpwire.Field(a.Result, "ttlMs")
	return w, nil
}

// Lists reports whether a raw array holds a text.
func Lists(array []byte, want string) bool {
	for v := range mcpwire.Elements(array) {
		if mcpwire.IsText(v, want) {
			return true
		}
	}
	return false
}

func welcome(result []byte) Welcome {
	var w Welcome
	w.Capabilities, _ = mcpwire.Field(result, "capabilities")
	w.Capabilities = orEmpty(w.Capabilities)
	w.Instructions, _ = mcpwire.FieldText(result, "instructions")
	if len(w.Instructions) > maxInstructions {
		w.Instructions = w.Instructions[:maxInstructions]
	}
	return w
}

// orEmpty returns an object, empty when raw is none.
func orEmpty(raw []byte) []byte {
	if !mcpwire.IsObject(raw) {
		return []byte("{}")
	}
	return raw
}

// FaultyID returns the id of ours that a message repeats which cannot be read;
// 0 where that is not known.
func FaultyID(err error) uint64 {
	var s *mcpwire.ScanError
	if errors.As(err, &s) {
		return OwnID(s.ID)
	}
	return 0
}
