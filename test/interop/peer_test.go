// Package interop drives real clients through the gateway to real servers:
// go-sdk, mcp-go and the TypeScript SDK (1.x and 2.x), over Streamable HTTP,
// HTTP+SSE and stdio, in both eras. Each message is validated on the way.
package interop

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.Main(m)) }

// peer is a client of somebody else's make, as far as the stories use it. It
// accepts each elicitation with username and name "ada" and the interpretation
// "snake", answers each sampling
// request with "a poem", and has one root.
type peer interface {
	Version() string // of the protocol, as negotiated
	Tools(ctx context.Context) ([]string, error)
	// Call asks for progress, and for log messages from info on.
	Call(ctx context.Context, tool string, args map[string]any) (answer, error)
	Resources(ctx context.Context) ([]string, error)
	Templates(ctx context.Context) ([]string, error)
	Read(ctx context.Context, uri string) (string, error)
	Prompts(ctx context.Context) ([]string, error)
	Prompt(ctx context.Context, name string, args map[string]string) (string, error)
	Complete(ctx context.Context, prompt, argument, value string) ([]string, error)
	Subscribe(ctx context.Context, uri string) error
	Seen() map[string]int // notifications and server requests by method
	Close() error
}

// answer is a tool's result.
type answer struct {
	Text    string // of all text blocks
	Kinds   []string
	IsError bool
}

// target is where a peer connects to.
type target struct {
	url     string   // of the endpoint; for HTTP+SSE of /sse
	command []string // for stdio
	key     string
}

// kind is one make of client, over one transport, in one era.
type kind struct {
	name      string
	transport string // "http", "sse", "stdio"
	modern    bool
	connect   func(t *testing.T, to target, k kind) peer
}

var kinds = []kind{
	{"go-sdk", "http", true, connectGoSDK},
	{"go-sdk", "http", false, connectGoSDK},
	{"go-sdk", "sse", false, connectGoSDK},
	{"go-sdk", "stdio", true, connectGoSDK},
	{"go-sdk", "stdio", false, connectGoSDK},
	{"mcp-go", "http", true, connectMCPGo},
	{"mcp-go", "http", false, connectMCPGo},
	{"mcp-go", "sse", false, connectMCPGo},
	{"mcp-go", "stdio", true, connectMCPGo},
	{"mcp-go", "stdio", false, connectMCPGo},
	{"ts-1", "http", false, connectNode},
	{"ts-1", "sse", false, connectNode},
	{"ts-1", "stdio", false, connectNode},
	{"ts-2", "http", true, connectNode},
	{"ts-2", "http", false, connectNode},
	{"ts-2", "sse", false, connectNode},
	{"ts-2", "stdio", true, connectNode},
	{"ts-2", "stdio", false, connectNode},
}

// answers tells whether the client can be asked: mcp-go's HTTP+SSE transport
// drops requests of the server.
func (k kind) answers() bool { return k.name != "mcp-go" || k.transport != "sse" }

// cancels tells whether the client says that it gave a call up: mcp-go does not
// over HTTP in the legacy era, where a broken connection does not say so either.
func (k kind) cancels() bool { return k.name != "mcp-go" || k.modern || k.transport == "stdio" }

// agent is the name that clients of this kind have at the gateway.
func (k kind) agent() string { return strings.ReplaceAll(k.String(), " ", "-") }

// key is their key.
func (k kind) key() string { return "key-of-" + k.agent() + "-0123456789abcdef" }

func (k kind) String() string {
	era := "legacy"
	if k.modern {
		era = "modern"
	}
	return k.name + " " + k.transport + " " + era
}

// tally counts what a server sent of its own accord.
type tally struct {
	mu   sync.Mutex
	seen map[string]int // guarded by mu
}

func (c *tally) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[method]++
}

// Seen is a copy of the counts.
func (c *tally) Seen() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]int{}
	for k, v := range c.seen {
		all[k] = v
	}
	return all
}

// bound is for what somebody does with a peer, in all; what hangs ends then.
const bound = 5 * time.Minute

const (
	elicitation = "elicitation/create"
	sampling    = "sampling/createMessage"
	roots       = "roots/list"
	progress    = "notifications/progress"
	message     = "notifications/message"
	toolsChange = "notifications/tools/list_changed"
	updated     = "notifications/resources/updated"
	listens     = "notifications/subscriptions/acknowledged"
)
