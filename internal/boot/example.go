package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"durward"
	"durward/internal/example"
)

// Example says how the built-in example upstream is to run.
type Example struct {
	Dir     string // folder for its notes; "" keeps them in memory
	Version string
}

// ExampleUpstream declares the example as an upstream: this program itself.
func ExampleUpstream() (durward.Upstream, error) {
	self, err := os.Executable()
	if err != nil {
		return durward.Upstream{}, fmt.Errorf("find this program: %w", err)
	}
	return durward.Upstream{Name: example.Name, Command: self, Args: []string{"example"}}, nil
}

// ExampleRules are the patterns that a starter role allows and denies: all of
// the example but its bait.
func ExampleRules() (allow, deny []string) { return example.Allow(), example.Deny() }

// ExampleBait is the public name of the example's poisoned tool.
func ExampleBait() string { return example.Name + "__" + example.Bait }

// RunExample serves the example on standard input and output until they end.
func RunExample(ctx context.Context, e Example) error {
	s, err := example.New(example.Options{Dir: e.Dir, Version: e.Version})
	if err != nil {
		return err
	}
	return errors.Join(s.Serve(ctx, os.Stdin, os.Stdout), s.Close())
}

// ServeExample serves the example over HTTP, on /mcp, until ctx ends. It calls
// ready with the URL when it listens.
func ServeExample(ctx context.Context, e Example, listen string, ready func(url string)) error {
	s, err := example.New(example.Options{Dir: e.Dir, Version: e.Version})
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), s.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", s.Handler())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	ready("http://" + ln.Addr().String() + "/mcp")
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, s.Close())
	}
	return s.Close()
}
