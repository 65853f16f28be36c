package durwardtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"durward"
)

// Key is the key of the agent "tester" in the configuration that [Serve] writes.
const Key = "tester-key-0123456789abcdef-0123456789abcdef"

// Gateway is a gateway that runs as it would in production: the program, a
// configuration file, a data folder.
type Gateway struct {
	*Process
	URL    string // of the data listener, http://host:port
	Admin  string // of the admin listener
	Config string // path of the configuration
	Data   string // the data folder
	bin    string
	dir    string
}

// Serve runs `durward serve` with upstreams (the YAML under that key) and more
// top-level YAML. The agent "tester" with [Key] may call everything; more may
// declare others, or replace it with its own agents and roles.
func Serve(t testing.TB, upstreams, more string) *Gateway {
	t.Helper()
	g := &Gateway{bin: Build(t, Durward), dir: t.TempDir()}
	g.Config, g.Data = filepath.Join(g.dir, "durward.yaml"), filepath.Join(g.dir, "data")
	listen, admin := FreeAddr(t), FreeAddr(t)
	g.URL, g.Admin = "http://"+listen, "http://"+admin
	text := fmt.Sprintf("listen: %s\nadmin: {listen: %s}\ndata: %s\nupstreams:\n%s\n", listen, admin, g.Data, indent(upstreams))
	if !strings.Contains(more, "agents:") {
		text += "agents:\n  tester: {key: " + Key + ", roles: [all]}\nroles:\n  all: {allow: [\"*\"]}\n"
	}
	if err := os.WriteFile(g.Config, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t)
	return g
}

func indent(yaml string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(yaml)) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func (g *Gateway) run(t testing.TB) {
	t.Helper()
	g.Process = Start(t, StartOptions{Dir: g.dir}, g.bin, "serve", "-c", g.Config)
	addr := strings.TrimPrefix(g.URL, "http://")
	g.WaitFor(t, "saying that it serves", func() bool { return strings.Contains(g.Stdout.String(), addr) })
	t.Cleanup(func() { g.judge(t) })
}

// judge looks at how the gateway ended and what it wrote.
func (g *Gateway) judge(t testing.TB) {
	select {
	case <-g.Exited(): // the test ended it
	default:
		if !g.Stop(time.Minute) {
			t.Errorf("the gateway did not end within a minute of SIGTERM:\n%s", g.Stderr)
		}
	}
	for _, word := range []string{"WARNING: DATA RACE", "panic:", "fatal error:"} {
		if i := strings.Index(g.Stderr.String(), word); i >= 0 {
			t.Errorf("the gateway wrote %q:\n%s", word, tail(g.Stderr.String()[i:]))
		}
	}
}

// Restart starts the gateway again, on the same addresses, configuration and data.
func (g *Gateway) Restart(t testing.TB) {
	t.Helper()
	g.run(t)
}

// Endpoint is the URL of /mcp, or of /mcp/{upstream}.
func (g *Gateway) Endpoint(upstream ...string) string {
	return g.URL + strings.Join(append([]string{"/mcp"}, upstream...), "/")
}

// Run runs a subcommand of the CLI in the gateway's folder and returns its output and exit code.
func (g *Gateway) Run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(g.bin, args...)
	c.Dir, c.Stdout, c.Stderr = g.dir, &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatalf("durward %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// Command is the command line of a subcommand for another program to start.
func (g *Gateway) Command(args ...string) []string { return append([]string{g.bin}, args...) }

// Offered waits until the tools of every upstream are offered: lists over HTTP
// do not wait for servers that take long to start.
func (g *Gateway) Offered(t testing.TB) {
	t.Helper()
	type row struct{ Status struct{ Tools int } }
	g.WaitFor(t, "offering the tools of every upstream", func() bool {
		out, _, code := g.Run(t, "upstream", "list", "--data", g.Data, "-o", "json")
		var all []row
		ready := code == 0 && json.Unmarshal([]byte(out), &all) == nil &&
			!slices.ContainsFunc(all, func(r row) bool { return r.Status.Tools == 0 })
		if !ready {
			time.Sleep(100 * time.Millisecond) // looking takes time, too, which the servers need
		}
		return ready
	})
}

// Records exports the whole record, also while the gateway runs.
func (g *Gateway) Records(t testing.TB) []durward.Record {
	t.Helper()
	stdout, stderr, code := g.Run(t, "audit", "export", "--data", g.Data)
	if code != 0 {
		t.Fatalf("durward audit export = exit code %d: %s", code, stderr)
	}
	var all []durward.Record
	for line := range strings.Lines(stdout) {
		var r durward.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("decode the record %s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// Record waits until a record satisfies want, and returns the first that does.
// Records of reads may be written a moment after the reply.
func (g *Gateway) Record(t testing.TB, what string, want func(durward.Record) bool) durward.Record {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		all := g.Records(t)
		for _, r := range all {
			if want(r) {
				return r
			}
		}
		if time.Now().After(deadline) {
			t.Errorf("no record of %s; there are: %s", what, summary(all))
			return durward.Record{}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func summary(all []durward.Record) string {
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "\n\t%s asked=%q tool=%q verdict=%s reason=%s outcome=%s", r.Method, r.Asked, r.Tool, r.Verdict, r.Reason, r.Outcome)
	}
	return b.String()
}
