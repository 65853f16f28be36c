package durwardtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Missing ends a test that needs something this machine lacks: it skips, or
// fails where CI=true, because there nothing may be skipped.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s (CI=true: nothing may be skipped)", what)
	}
	t.Skip(what)
}

// Root is the folder of the module.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the path of this package is not known")
	}
	root := filepath.Join(filepath.Dir(file), "..", "..")
	if !filepath.IsAbs(root) { // built with -trimpath
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "durward").Output()
		if err != nil {
			t.Fatalf("find the module: %v", err)
		}
		root = string(out[:len(out)-1])
	}
	return root
}

// Shared is a file or folder of the reference material that lies beside the
// project; ok is false where it does not.
func Shared(t testing.TB, path ...string) (dir string, ok bool) {
	t.Helper()
	dir = filepath.Join(append([]string{Root(t), "..", "shared"}, path...)...)
	_, err := os.Stat(dir)
	return dir, err == nil
}

// Peers are the programs of others that scripts/peers installed.
type Peers struct {
	Dir  string // its node_modules holds the packages
	Node string // Node 22 or later
}

// NewPeers finds the peers, or ends the test with [Missing].
func NewPeers(t testing.TB) Peers {
	t.Helper()
	cache := os.Getenv("DURWARD_CACHE")
	if cache == "" {
		cache = filepath.Join(Root(t), ".cache")
	}
	p := Peers{Dir: filepath.Join(cache, "peers")}
	p.Node = filepath.Join(p.Dir, "bin", "node")
	if _, err := os.Stat(filepath.Join(p.Dir, "stamp")); err != nil {
		Missing(t, "the peers are not installed: run scripts/peers")
	}
	return p
}

// Package is the path of a file within one of the installed packages.
func (p Peers) Package(name string, path ...string) string {
	return filepath.Join(append([]string{p.Dir, "node_modules", name}, path...)...)
}
