package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"durward/internal/durwardtest"
)

// research is a tool of the reference server that runs only as a task of
// 2025-11-25, for some seconds, and asks its user something in the middle.
const research = "simulate-research-query"

// newTaskHouse is a gateway before the reference server, over two transports.
func newTaskHouse(t *testing.T) house {
	t.Helper()
	peers := durwardtest.NewPeers(t)
	h := house{wire: durwardtest.NewWire(t)}
	ts := peers.Package("@modelcontextprotocol/server-everything", "dist", "index.js")
	port := durwardtest.StartOptions{Env: []string{"PORT={PORT}"}}
	url := "http://" + durwardtest.StartHTTP(t, port, peers.Node, ts, "streamableHttp") + "/mcp"
	command := h.wire.Stdio(t, "gateway to ts", peers.Node, ts, "stdio")
	h.Gateway = durwardtest.Serve(t, fmt.Sprintf("tshttp: {url: %q}\nts: {command: %q, args: [%q, %q, %q, stdio]}\n",
		h.wire.HTTP(t, "gateway to tshttp", url), command[0], command[1], command[2], command[3]), agents())
	h.Offered(t)
	return h
}

// A tool that runs only as a task is a tool like any other to every client: the
// gateway makes the task, waits for it and passes on what the server asks.
func TestAToolThatRunsOnlyAsATask(t *testing.T) {
	h := newTaskHouse(t)
	for _, k := range kinds {
		if k.name == "mcp-go" && !k.answers() || k.transport == "stdio" && k.name != "go-sdk" {
			continue // these tell nothing that the others do not
		}
		for _, up := range []string{"ts", "tshttp"} {
			t.Run(k.String()+" at "+up, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				p := k.connect(t, h.at(t, k, up), k)
				defer func() { _ = p.Close() }()
				if tools, err := p.Tools(ctx); err != nil || !slices.Contains(tools, up+"__"+research) {
					t.Fatalf("Tools = %v %v, want %s among them", tools, err, research)
				}
				a, err := p.Call(ctx, up+"__"+research, map[string]any{"topic": "python", "ambiguous": true})
				if err != nil || a.IsError || !strings.Contains(a.Text, "python (snake)") {
					t.Errorf("%s = %+v %v, want a report with what the user accepted", research, a, err)
				}
			})
		}
	}
}

// A client that knows the tasks of 2025-11-25 has them through the gateway.
func TestTasksOfTheSDK(t *testing.T) {
	h := newTaskHouse(t)
	k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == "ts-1" && k.transport == "http" })]
	for _, up := range []string{"ts", "tshttp"} {
		t.Run(up, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			p := k.connect(t, h.at(t, k, up), k).(*node)
			defer func() { _ = p.Close() }()
			var got struct {
				Steps []string
				Text  string
			}
			args := map[string]any{"name": up + "__" + research, "args": map[string]any{"topic": "python", "ambiguous": true}}
			if err := p.do(ctx, "task", args, &got); err != nil {
				t.Fatal(err)
			}
			if got.Steps[0] != "taskCreated" || !slices.Contains(got.Steps, "working") || !slices.Contains(got.Steps, "input_required") || !strings.Contains(got.Text, "python (snake)") {
				t.Errorf("the task went %v and ended with %.200s", got.Steps, got.Text)
			}
			args["until"] = true
			if err := p.do(ctx, "task", args, &got); err != nil || got.Steps[len(got.Steps)-1] != "cancelled" {
				t.Errorf("the task went %v %v, want that it is cancelled", got.Steps, err)
			}
		})
	}
}
