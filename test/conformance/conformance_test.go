package conformance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.Main(m)) }

// The harness itself: the suite against the server with nothing between them.
func TestDirect(t *testing.T) {
	peers := durwardtest.NewPeers(t)
	for era, s := range map[string]suite{"modern": modern, "legacy": legacy} {
		t.Run(era, func(t *testing.T) {
			s.expect(t, peers, server("http://"+everything(t, era)+"/"), "fixture-"+s.revision+".txt")
		})
	}
}

// A harness that cannot fail proves nothing: against a server that is not
// there, in the wrong era, and with a client that does nothing, scenarios must fail.
func TestHarnessCanFail(t *testing.T) {
	peers := durwardtest.NewPeers(t)
	for name, of := range map[string]subject{
		"no server":     server("http://" + durwardtest.FreeAddr(t) + "/"),
		"the wrong era": server("http://" + everything(t, "legacy") + "/"),
		"an idle one":   client("true"),
	} {
		s := map[string]suite{"server": modern, "client": modernClient}[of.side]
		found, err := s.run(peers, of, t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(s.judge(found, nil)); n < 20 {
			t.Errorf("%s: only %d scenarios fail", name, n)
		}
	}
}

func (s suite) expect(t *testing.T, p durwardtest.Peers, of subject, baselines ...string) (found map[string]outcome, known map[string]string) {
	t.Helper()
	known, err := baseline(baselines...)
	if err != nil {
		t.Fatal(err)
	}
	found, err = s.run(p, of, t.TempDir())
	if found != nil {
		t.Log(s.table(found, known))
	}
	if err != nil {
		t.Error(err)
	}
	for _, c := range s.judge(found, known) {
		t.Error(c)
	}
	return found, known
}

// table is for the reader of `go test -v`.
func (s suite) table(found map[string]outcome, known map[string]string) string {
	var b strings.Builder
	passed := 0
	for _, name := range s.required {
		if found[name].passed() {
			passed++
		}
	}
	fmt.Fprintf(&b, "%s: %d of %d required scenarios pass, %d known failures\n", s.revision, passed, len(s.required), len(known))
	for name, o := range found {
		mark := "ok  "
		if _, expected := known[name]; expected {
			mark = "known"
		} else if !o.passed() {
			mark = "FAIL"
		}
		fmt.Fprintf(&b, "  %-5s %-48s %3d passed %3d failed %d skipped\n", mark, name, o.succeeded, o.failed, o.skipped)
	}
	return b.String()
}
