package example

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Name is the alias under which `durward up` adds the example.
const Name = "example"

// Allow and Deny are the patterns of the starter role: everything but the bait.
// The denial is not needed, since nothing is allowed by default; it is there
// so that the record names a rule.
func Allow() []string {
	return []string{Name + "__notes_*", Name + "__clock_now", Name + "__text_stats", Name + "__summarise_notes", Name + "__notes://*"}
}

// Deny is the other half of the starter role, see [Allow].
func Deny() []string { return []string{Name + "__" + Bait} }

// Options say how the example is to run. The zero value keeps notes in memory.
type Options struct {
	// Dir is a folder for the notes, made if need be; empty keeps them in memory.
	Dir string
	// Version is what the server says of itself.
	Version string
	// Log receives the SDK's own messages; nil drops them.
	Log *slog.Logger
	// Now is the clock of clock_now; nil is the real one.
	Now func() time.Time
}

// Server is one running example: one notebook behind any number of connections.
type Server struct {
	srv  *mcp.Server
	book *notebook
	log  *slog.Logger
}

// New builds a server. Close it to release the folder.
func New(o Options) (*Server, error) {
	book, err := openNotebook(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v := &service{book: book, now: o.Now}
	_, _ = rand.Read(v.secret[:]) // never fails (crypto/rand)
	v.srv = mcp.NewServer(&mcp.Implementation{Name: "durward-example", Title: "Durward example notes", Version: o.Version},
		&mcp.ServerOptions{
			Instructions:       "A small notebook that ships with Durward. Search with notes_search, read with notes_read.",
			Logger:             o.Log,
			CompletionHandler:  v.complete,
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		})
	v.addTools()
	v.addResources()
	v.addPrompts()
	return &Server{srv: v.srv, book: book, log: o.Log}, nil
}

// Close releases the folder of notes.
func (s *Server) Close() error { return s.book.close() }

// Serve speaks MCP over in and out, one message a line, until in ends or ctx is done.
func (s *Server) Serve(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error {
	err := s.srv.Run(ctx, &mcp.IOTransport{Reader: in, Writer: out})
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("serve example: %w", err)
	}
	return nil
}

// Handler speaks MCP over Streamable HTTP, every revision on one path. The SDK
// serves an era per handler, so requests of 2026-07-28 are told by their header.
func (s *Server) Handler() http.Handler {
	get := func(*http.Request) *mcp.Server { return s.srv }
	stateful := mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{
		Logger: s.log, SessionTimeout: 10 * time.Minute,
	})
	stateless := mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{
		Logger: s.log, Stateless: true, PropagateRequestCancellation: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Protocol-Version") >= "2026-07-28" {
			stateless.ServeHTTP(w, r)
			return
		}
		stateful.ServeHTTP(w, r)
	})
}
