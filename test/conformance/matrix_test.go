package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"durward/internal/durwardtest"
)

// behind is what stands behind the gateway in one column of the matrix.
type behind struct {
	name      string
	over      string                         // which baselines tell of it: by the servers' era, or for several
	upstreams func(testing.TB, suite) string // as YAML
	endpoint  []string                       // of the gateway; none is the merged one
}

// The columns. The last has two upstreams, whose names the gateway lists with
// prefixes and takes without.
var columns = []behind{
	{"modern HTTP", "modern", overHTTP("modern"), []string{"everything"}},
	{"modern stdio", "modern", overStdio("modern"), []string{"everything"}},
	{"legacy HTTP", "legacy", overHTTP("legacy"), []string{"everything"}},
	{"legacy stdio", "legacy", overStdio("legacy"), []string{"everything"}},
	{"HTTP+SSE", "legacy", overSSE, []string{"everything"}},
	{"two upstreams", "several", federated, nil},
}

// atOnce is how many cells run side by side.
const atOnce = 2

// TestMatrix runs every suite through the gateway to every kind of server, and
// the suites for clients with the gateway as the client. What
// cannot pass stands in baseline/, by suite and the servers' era, each with its reason.
// With DURWARD_MATRIX the table is written to that file as Markdown.
func TestMatrix(t *testing.T) {
	peers := durwardtest.NewPeers(t)
	m := matrix{cells: map[string]string{}}
	slots := make(chan struct{}, atOnce)
	t.Run("cells", func(t *testing.T) {
		for _, s := range []suite{modern, legacy, older} {
			for _, b := range columns {
				t.Run(s.revision+" over "+b.name, func(t *testing.T) {
					t.Parallel()
					slots <- struct{}{}
					defer func() { <-slots }()
					g := durwardtest.Serve(t, b.upstreams(t, s), open)
					g.Offered(t)
					found, known := s.expect(t, peers, server(g.Endpoint(b.endpoint...)), s.baselines(t, b)...)
					m.put(s.revision+b.name, s.score(found, known))
				})
			}
		}
	})
	t.Run("tasks", func(t *testing.T) {
		addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.Tasker), "-http", "{ADDR}")
		g := durwardtest.Serve(t, fmt.Sprintf("tasker: {url: http://%s/, prefix: none}", addr), open)
		g.Offered(t)
		found, known := tasks.expect(t, peers, server(g.Endpoint("tasker")))
		m.put("tasks", tasks.score(found, known))
	})
	t.Run("clients", func(t *testing.T) {
		for _, s := range []suite{modernClient, legacyClient} {
			t.Run(s.revision, func(t *testing.T) {
				found, known := s.expect(t, peers, throughGateway(t), "client-"+s.revision+".txt")
				m.put("client"+s.revision, s.score(found, known))
			})
		}
	})
	if file := os.Getenv("DURWARD_MATRIX"); file != "" && !t.Failed() {
		if err := os.WriteFile(file, []byte(m.markdown()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// open lets the suite in, which has no key.
const open = `
agents: {suite: {anonymous: true, roles: [all]}}
roles: {all: {allow: ["*"]}}
`

// throughGateway is the gateway as a client of the suite's own servers, driven
// by a client of the official SDK.
func throughGateway(t testing.TB) subject {
	return client(strings.Join([]string{
		durwardtest.Build(t, durwardtest.Through), durwardtest.Build(t, durwardtest.Durward), durwardtest.Build(t, durwardtest.EverythingClient),
	}, " "))
}

// baselines are the files that tell of a cell: what the fixture cannot show,
// what differs with the gateway between, and what one era cannot do for another.
func (s suite) baselines(t testing.TB, b behind) (files []string) {
	for _, name := range []string{"fixture", "gateway", "over-" + b.over} {
		file := name + "-" + s.revision + ".txt"
		switch _, err := os.Stat(filepath.Join("baseline", file)); {
		case err == nil:
			files = append(files, file)
		case !os.IsNotExist(err):
			t.Fatal(err)
		}
	}
	return files
}

// matrix is what came out of the cells.
type matrix struct {
	mu    sync.Mutex
	cells map[string]string // guarded by mu
}

func (m *matrix) put(cell, score string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cells[cell] = score
}

// score says how many of the required scenarios pass.
func (s suite) score(found map[string]outcome, known map[string]string) string {
	passed, expected := 0, 0
	for _, name := range s.required {
		switch {
		case known[name] != "":
			expected++
		case found[name].passed():
			passed++
		}
	}
	if expected == 0 {
		return fmt.Sprintf("%d of %d", passed, len(s.required))
	}
	return fmt.Sprintf("%d of %d (%d explained)", passed, len(s.required), expected)
}

func (m *matrix) markdown() string {
	var b strings.Builder
	b.WriteString("| suite |")
	rule := "|---|"
	for _, c := range columns {
		b.WriteString(" " + c.name + " |")
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, s := range []suite{modern, legacy, older} {
		b.WriteString("| " + s.revision + " |")
		for _, c := range columns {
			b.WriteString(" " + m.cells[s.revision+c.name] + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| suite | |\n|---|---|\n")
	b.WriteString("| " + tasks.revision + ", tasks extension, before a server that has it | " + m.cells["tasks"] + " |\n")
	for _, s := range []suite{modernClient, legacyClient} {
		b.WriteString("| " + s.revision + " for clients, with the gateway as the client | " + m.cells["client"+s.revision] + " |\n")
	}
	return b.String()
}
