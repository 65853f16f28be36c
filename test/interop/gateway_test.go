package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

// house is one gateway before many servers, which all clients share. Each line
// to and from it is recorded and validated.
type house struct {
	*durwardtest.Gateway
	wire   *durwardtest.Wire
	files  string      // the folder that server-filesystem serves
	memory *sync.Mutex // held while server-memory is used: calls at the same time lose each other's writes there
}

// The upstreams: go-sdk's everything-server in both eras over HTTP and stdio,
// and the reference servers of the TypeScript SDK over stdio, Streamable HTTP
// and HTTP+SSE.
func newHouse(t *testing.T) house {
	t.Helper()
	peers := durwardtest.NewPeers(t)
	server := durwardtest.Build(t, durwardtest.EverythingServer)
	h := house{wire: durwardtest.NewWire(t), files: t.TempDir(), memory: &sync.Mutex{}}
	var yaml strings.Builder
	http := func(name, era, url string) {
		fmt.Fprintf(&yaml, "%s: {url: %q, era: %s}\n", name, h.wire.HTTP(t, "gateway to "+name, url), era)
	}
	pipe := func(name, era string, command ...string) {
		command = h.wire.Stdio(t, "gateway to "+name, command...)
		fmt.Fprintf(&yaml, "%s: {command: %q, args: [%q", name, command[0], command[1])
		for _, a := range command[2:] {
			fmt.Fprintf(&yaml, ", %q", a)
		}
		sharing := "auto"
		if command[2] == peers.Node || command[2] == "env" {
			sharing = "shared" // one process each of these is enough
		}
		fmt.Fprintf(&yaml, "], era: %s, sharing: %s}\n", era, sharing)
	}
	http("old", "auto", "http://"+durwardtest.StartHTTP(t, durwardtest.StartOptions{}, server, "-http", "{ADDR}", "-stateless=false")+"/")
	http("new", "auto", "http://"+durwardtest.StartHTTP(t, durwardtest.StartOptions{}, server, "-http", "{ADDR}", "-stateless=true")+"/")
	pipe("oldpipe", "legacy", server)
	pipe("newpipe", "auto", server)
	grower := durwardtest.Build(t, durwardtest.Grower)
	pipe("growold", "legacy", grower)
	pipe("grownew", "modern", grower)
	ts := peers.Package("@modelcontextprotocol/server-everything", "dist", "index.js")
	pipe("ts", "auto", peers.Node, ts, "stdio")
	port := durwardtest.StartOptions{Env: []string{"PORT={PORT}"}}
	http("tshttp", "auto", "http://"+durwardtest.StartHTTP(t, port, peers.Node, ts, "streamableHttp")+"/mcp")
	port = durwardtest.StartOptions{Env: []string{"PORT={PORT}"}}
	http("tssse", "auto", "http://"+durwardtest.StartHTTP(t, port, peers.Node, ts, "sse")+"/sse")
	pipe("files", "auto", peers.Node, peers.Package("@modelcontextprotocol/server-filesystem", "dist", "index.js"), h.files)
	memory := filepath.Join(t.TempDir(), "memory.jsonl")
	pipe("memory", "auto", "env", "MEMORY_FILE_PATH="+memory, peers.Node, peers.Package("@modelcontextprotocol/server-memory", "dist", "index.js"))
	h.Gateway = durwardtest.Serve(t, yaml.String(), agents())
	h.Offered(t)
	return h
}

// agents has one for each kind of client, so that none meets what another left
// in the processes and sessions behind the gateway.
func agents() string {
	var yaml strings.Builder
	yaml.WriteString("agents:\n")
	for _, k := range kinds {
		fmt.Fprintf(&yaml, "  %s: {key: %s, roles: [all]}\n", k.agent(), k.key())
	}
	return yaml.String() + "roles: {all: {allow: [\"*\"]}}\n"
}

// at is where a client of this kind finds an endpoint; "" is the merged one.
func (h house) at(t *testing.T, k kind, upstream string) target {
	t.Helper()
	to := target{key: k.key()}
	switch k.transport {
	case "http":
		path := "/mcp"
		if upstream != "" {
			path += "/" + upstream
		}
		to.url = h.wire.HTTP(t, k.String()+" to gateway", h.URL+path)
	case "sse":
		to.url = h.wire.HTTP(t, k.String()+" to gateway", h.URL+"/sse")
	case "stdio":
		args := []string{"stdio", "--agent", k.agent(), "--data", h.Data}
		if upstream != "" {
			args = append(args, "--endpoint", upstream)
		}
		to.command = h.wire.Stdio(t, k.String()+" to gateway", h.Command(args...)...)
	}
	return to
}

func TestThroughTheGateway(t *testing.T) {
	h := newHouse(t)
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			for _, up := range []string{"old", "oldpipe", "new", "newpipe"} { // of both eras
				t.Run("everything at "+up, func(t *testing.T) {
					p := k.connect(t, h.at(t, k, up), k)
					defer func() { _ = p.Close() }()
					everything(t, p, k, strings.HasPrefix(up, "new"), func(name string) string { return up + "__" + name })
				})
			}
			for _, up := range []string{"growold", "grownew"} {
				t.Run("growth at "+up, func(t *testing.T) {
					p := k.connect(t, h.at(t, k, up), k)
					defer func() { _ = p.Close() }()
					growth(t, p, k, func(name string) string { return up + "__" + name })
				})
			}
			t.Run("federation", func(t *testing.T) {
				p := k.connect(t, h.at(t, k, ""), k)
				defer func() { _ = p.Close() }()
				federation(t, h, p, k)
			})
		})
	}
}

// federation tells what one client can do with many servers of both eras.
func federation(t *testing.T, h house, p peer, k kind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	t.Run("lists", func(t *testing.T) {
		tools, err := p.Tools(ctx)
		if err != nil {
			t.Fatalf("Tools: %v", err)
		}
		holds(t, "tools", tools, "old__test_simple_text", "new__test_simple_text", "oldpipe__test_simple_text", "newpipe__test_simple_text",
			"ts__echo", "tshttp__echo", "tssse__echo", "files__read_text_file", "memory__create_entities")
		for _, name := range tools {
			if !strings.Contains(name, "__") || len(name) > 64 {
				t.Errorf("the tool %s has no prefix, or more than 64 characters", name)
			}
		}
		prompts, err := p.Prompts(ctx)
		if err != nil {
			t.Fatalf("Prompts: %v", err)
		}
		holds(t, "prompts", prompts, "old__test_simple_prompt", "ts__args-prompt", "tssse__args-prompt")
		uris, err := p.Resources(ctx)
		if err != nil {
			t.Fatalf("Resources: %v", err)
		}
		holds(t, "resources", uris, "test://static-text", "demo://resource/static/document/features.md")
	})
	t.Run("calls", func(t *testing.T) {
		for _, up := range []string{"ts", "tshttp", "tssse"} {
			says(ctx, t, p, up+"__get-sum", map[string]any{"a": 19, "b": 23}, "42")
			says(ctx, t, p, up+"__echo", map[string]any{"message": "grüß <dich> & \"mich\""}, "grüß <dich> & \"mich\"")
		}
		for _, up := range []string{"old", "new", "oldpipe", "newpipe"} {
			says(ctx, t, p, up+"__test_simple_text", nil, "simple text")
		}
	})
	t.Run("files and memory", func(t *testing.T) { stateful(ctx, t, h, p, k) })
	t.Run("bare names", func(t *testing.T) {
		says(ctx, t, p, "list_allowed_directories", nil, h.files)
		if a, err := p.Call(ctx, "get-sum", map[string]any{"a": 1, "b": 2}); err == nil && !a.IsError {
			t.Errorf("get-sum, which three upstreams have, answers %+v", a)
		}
	})
	t.Run("resources and prompts", func(t *testing.T) {
		text, err := p.Read(ctx, "demo://resource/static/document/features.md")
		if err != nil || !strings.Contains(text, "Everything Server") {
			t.Errorf("Read(features.md) = %.100q, %v", text, err)
		}
		text, err = p.Prompt(ctx, "ts__args-prompt", map[string]string{"city": "Bern"})
		if err != nil || !strings.Contains(text, "Bern") {
			t.Errorf("Prompt(args-prompt) = %q, %v", text, err)
		}
		values, err := p.Complete(ctx, "ts__completable-prompt", "department", "Eng")
		if err != nil || len(values) != 1 || values[0] != "Engineering" {
			t.Errorf("Complete = %v, %v", values, err)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		a, err := p.Call(ctx, "ts__get-sum", map[string]any{"a": "nineteen", "b": 23})
		if err != nil || !a.IsError || !strings.Contains(a.Text, "a") || !strings.Contains(a.Text, "number") {
			t.Errorf("get-sum of a word = %+v, %v, want a result with isError that names field and rule", a, err)
		}
	})
	if k.cancels() {
		t.Run("cancellation", func(t *testing.T) { cancellation(t, h, p, k) })
	}
}

func says(ctx context.Context, t *testing.T, p peer, tool string, args map[string]any, want string) {
	t.Helper()
	a, err := p.Call(ctx, tool, args)
	if err != nil || a.IsError || !strings.Contains(a.Text, want) {
		t.Errorf("%s = %+v, %v, want %q", tool, a, err, want)
	}
}

func stateful(ctx context.Context, t *testing.T, h house, p peer, k kind) {
	t.Helper()
	mark := strings.ReplaceAll(k.String(), " ", "-")
	path := filepath.Join(h.files, mark+".txt")
	says(ctx, t, p, "files__write_file", map[string]any{"path": path, "content": "from " + mark}, "Successfully")
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "from "+mark {
		t.Errorf("the file holds %q, %v", raw, err)
	}
	says(ctx, t, p, "files__read_text_file", map[string]any{"path": path}, "from "+mark)
	h.memory.Lock()
	defer h.memory.Unlock()
	says(ctx, t, p, "memory__create_entities", map[string]any{"entities": []any{
		map[string]any{"name": mark, "entityType": "client", "observations": []any{"was here"}},
	}}, mark)
	says(ctx, t, p, "memory__open_nodes", map[string]any{"names": []any{mark}}, "was here")
}

// cancellation shows that a caller who gives up is rid of the call at once,
// that the upstream is told, and that the record says so.
func cancellation(t *testing.T, h house, p peer, k kind) {
	t.Helper()
	const tool = "ts__trigger-long-running-operation"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, ended := p.Seen()[progress], make(chan error, 1)
	go func() {
		_, err := p.Call(ctx, tool, map[string]any{"duration": 600, "steps": 600})
		ended <- err
	}()
	eventually(t, "progress of the call", func() bool { return p.Seen()[progress] > before })
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the cancelled call has an answer")
		}
	case <-time.After(time.Minute):
		t.Fatal("the cancelled call did not end within a minute")
	}
	h.Record(t, "a cancelled call of "+k.String(), func(r durward.Record) bool {
		return r.Agent == k.agent() && r.Asked == tool && r.Outcome == durward.OutcomeCancelled
	})
}
