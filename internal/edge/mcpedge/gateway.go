package mcpedge

import (
	"context"
	"durward"
)

// Gateway is all that this face asks of what stands behind it. Errors are
// *durward.Error, told to the agent by the table of package edge; what comes
// back inside a Reply is told as it is. The gateway keeps nothing of a call's
// bytes after it returned, except copies.
type Gateway interface {
	// Admit finds the agent of c.Credential, or of c.Local when that is set, and
	// fills Agent and KeyID. With a SessionID it also finds the session of that
	// agent and fills Session and Client. It may be asked twice for one call: for
	// the agent before a large body is read, and for all once the body is known.
	// It keeps a record of refusals, and an attached session counts as used.
	Admit(ctx context.Context, c *durward.Call) error
	// Serve answers tools/call, prompts/get, resources/read and
	// completion/complete of an admitted call. The params are checked against the
	// Mcp-Param-* headers here, because only the tool's schema knows them.
	Serve(ctx context.Context, c *durward.Call, p durward.Peer) (durward.Reply, error)
	// List answers the four lists in the era of c.Wire.
	List(ctx context.Context, c *durward.Call) (durward.Reply, error)
	// Describe says what initialize and server/discover answer.
	Describe(ctx context.Context, c *durward.Call) (durward.Description, error)
	// Watch tells the agent of c what changes. ctx bounds the start only; the
	// watch lives until it is closed.
	Watch(ctx context.Context, c *durward.Call, t durward.Topics) (durward.Watch, error)
	// OpenSession begins a session of the admitted agent, CloseSession ends
	// c.Session.
	OpenSession(ctx context.Context, c *durward.Call, s durward.Session) (*durward.Session, error)
	CloseSession(ctx context.Context, c *durward.Call) error
	// Refused keeps a record of a request that this face refused for what it
	// looked like: half a message, a header that disagrees with the body. What is
	// known of c is filled, which may be little.
	Refused(ctx context.Context, c *durward.Call, e *durward.Error)
}
