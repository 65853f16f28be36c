// Package soak lets clients of every era use servers of every era through one
// gateway for a while, as badly as it happens: servers are killed and started
// again, clients give calls up, drop their connections and leave sessions
// behind. Every call has to be answered or refused with a reason, and in the
// end nothing may be left: no goroutine, no process, no file, no memory.
package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/config"
	"durward/internal/durwardtest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if boot.Watchdog(os.Args) { // of the gateway in this process
		return
	}
	os.Exit(durwardtest.Main(m))
}

// Bounds of what may be in use.
const (
	clients     = 10
	processMost = 64              // of stdio servers at any moment
	filesLeft   = 8               // more than before
	heapGrowth  = 24 << 20        // from the first third to the end
	mishap      = 2 * time.Second // between two kills, about
	sessionIdle = 20 * time.Second
	sessionLast = sessionIdle + 80*time.Second // that one can be there after its last use: the gateway looks once a minute
)

// lasts is how long the soak goes on: DURWARD_SOAK, a minute without it.
func lasts(t *testing.T) time.Duration {
	text := os.Getenv("DURWARD_SOAK")
	if text == "" {
		return time.Minute
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("DURWARD_SOAK: %v", err)
	}
	return d
}

func TestSoak(t *testing.T) {
	bin := durwardtest.Build(t, durwardtest.EverythingServer)
	addresses := [2]string{durwardtest.FreeAddr(t), durwardtest.FreeAddr(t)} // over all of their lives
	before := goleak.IgnoreCurrent()
	files := openFiles(t)
	g, stop := gateway(t, fmt.Sprintf(`
  new: {url: http://%s/, timeout: 5s}
  old: {url: http://%s/, timeout: 5s}
  newpipe: {command: %s, era: modern, timeout: 5s}
  oldpipe: {command: %s, era: legacy, timeout: 5s}
`, addresses[0], addresses[1], bin, bin))

	ctx, cancel := context.WithTimeout(t.Context(), lasts(t))
	defer cancel()
	var all sync.WaitGroup
	for i, addr := range addresses {
		all.Go(func() { fickle(ctx, bin, addr, i == 0) })
	}
	all.Go(func() { killChildren(ctx, t) })
	tally := newTally()
	for n := range clients {
		all.Go(func() { live(ctx, t, g, kinds[n%len(kinds)], rand.New(rand.NewPCG(uint64(n), 7)), tally) })
	}
	early := watch(ctx, t)
	all.Wait()
	t.Log(tally)
	tally.judge(t)

	late := heap()
	t.Logf("heap: %.1f MiB after a third of the time, %.1f MiB at the end", mb(early), mb(late))
	if late > early+heapGrowth {
		t.Errorf("the heap grew from %.1f to %.1f MiB", mb(early), mb(late))
	}
	sessions, bound := g.sessions(t), tally.openedWithin(sessionLast)
	t.Logf("%d sessions are open, of %d that were opened in the last %v", sessions, bound, sessionLast)
	if sessions > bound {
		t.Errorf("%d sessions are open; only %d can be", sessions, bound)
	}
	stop()
	var left []int
	if !soon(func() bool { left = durwardtest.Children(t, os.Getpid()); return len(left) == 0 }) {
		t.Errorf("processes are left: %v", left)
	}
	open := 0
	if !soon(func() bool { open = openFiles(t); return open <= files+filesLeft }) {
		t.Errorf("%d files are open, %d were before", open, files)
	}
	if err := durwardtest.Leaks(before); err != nil {
		t.Error(err)
	}
}

// soon reports whether something is so within a minute.
func soon(ok func() bool) bool {
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// box is a gateway in this process.
type box struct {
	*boot.Gateway
	data string
}

func gateway(t *testing.T, upstreams string) (g *box, stop func()) {
	t.Helper()
	g = &box{data: filepath.Join(t.TempDir(), "data")}
	text := fmt.Sprintf("data: %s\nlimits: {session_idle: %s}\nagents: {soak: {anonymous: true, roles: [all]}}\nroles: {all: {allow: ['*']}}\nupstreams:%s", g.data, sessionIdle, upstreams)
	cfg, err := config.Parse(filepath.Join(filepath.Dir(g.data), "durward.yaml"), []byte(text), config.Options{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if g.Gateway, err = boot.Start(t.Context(), cfg, boot.Options{Version: "soak"}); err != nil {
		t.Fatal(err)
	}
	return g, sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// sessions is how many the gateway has open.
func (g *box) sessions(t *testing.T) int {
	c, _, err := admin.Connect(context.Background(), g.data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s.Sessions
}

// watch looks at the processes all the time, and at the heap after a third of it.
func watch(ctx context.Context, t *testing.T) (early int64) {
	end, _ := ctx.Deadline()
	third := time.After(time.Until(end) / 3)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return early
		case <-third:
			early = heap()
		case <-tick.C:
			if n := len(durwardtest.Children(t, os.Getpid())); n > processMost {
				t.Errorf("%d processes run at once", n)
			}
		}
	}
}

// killChildren kills a stdio server now and then, but not the watchdog.
func killChildren(ctx context.Context, t *testing.T) {
	for sleep(ctx, mishap/2+rand.N(mishap)) {
		var servers []int
		for _, pid := range durwardtest.Children(t, os.Getpid()) {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Base(exe) == "everything-server" && !overHTTP(pid) {
				servers = append(servers, pid)
			}
		}
		if len(servers) > 0 {
			_ = syscall.Kill(servers[rand.N(len(servers))], syscall.SIGKILL)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		durwardtest.Missing(t, "no /proc: open files cannot be counted")
	}
	return len(entries)
}
