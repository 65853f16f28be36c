package durwardtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Packages that tests build.
const (
	Durward          = "./cmd/durward"
	EverythingServer = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"
	EverythingClient = "github.com/modelcontextprotocol/go-sdk/conformance/everything-client"
	Scoundrel        = "./test/fixtures/scoundrel"
	Grower           = "./test/fixtures/grower"
	Tee              = "./test/fixtures/tee"
	Asker            = "./test/fixtures/asker"
	Tasker           = "./test/fixtures/tasker"
	Through          = "./test/fixtures/through"
)

// Main is a TestMain that removes what [Build] made: os.Exit(durwardtest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	built.mu.Lock()
	defer built.mu.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	return code
}

// built holds what this test process built; the one mutable variable here,
// because compiling once per test would take longer than the tests.
var built struct {
	mu   sync.Mutex
	dir  string // guarded by mu
	done map[string]string
}

// Build compiles a program once per test process and returns its path. With
// DURWARD_RACE=1 the gateway is built with the race detector.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	if bin, ok := built.done[pkg]; ok {
		return bin
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "durwardtest-")
		if err != nil {
			t.Fatalf("make a folder for programs: %v", err)
		}
		built.dir, built.done = dir, map[string]string{}
	}
	bin, err := build(Root(t), built.dir, pkg)
	if err != nil {
		t.Fatal(err)
	}
	built.done[pkg] = bin
	return bin
}

func build(root, dir, pkg string) (string, error) {
	bin := filepath.Join(dir, filepath.Base(pkg))
	args := []string{"build", "-o", bin}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("DURWARD_RACE") == "1" && strings.HasPrefix(pkg, "./") {
		args = append(args, "-race")
		env = append(env, "CGO_ENABLED=1")
	}
	c := exec.Command("go", append(args, pkg)...)
	c.Dir, c.Env = root, env
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}
