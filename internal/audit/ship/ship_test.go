package ship_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/audit/ship"
	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

func record(n int) *durward.Record {
	return &durward.Record{Time: time.Date(2026, 11, 22, 10, 0, 0, n*1000, time.UTC), ID: fmt.Sprintf("call-%d", n), Lane: durward.LaneMCP, Agent: "bot", Method: "tools/call",
		Remote: "192.0.2.7:4711", Upstream: "crm", Tool: "find", Asked: "crm__find", Verdict: "deny", Reason: "rule_denies", Rule: `role "x": a=b|c`, Outcome: durward.OutcomeRefused, LatencyUS: 1500}
}

func put(t *testing.T, l *audit.Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		mode := audit.Batched
		if i == to-1 {
			mode = audit.Durable
		}
		if err := l.Append(t.Context(), record(i), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func openLog(t *testing.T) (string, *audit.Log) {
	t.Helper()
	dir := t.TempDir()
	l, err := audit.Open(dir, audit.Options{SegmentBytes: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return dir, l
}

func start(t *testing.T, dir string, l *audit.Log, target ship.Target) *ship.Shipper {
	t.Helper()
	target.Name, target.Every, target.Retry = "siem", 5*time.Millisecond, 2*time.Millisecond
	s, err := ship.Start(dir, slog.New(slog.DiscardHandler), func() uint64 { return l.Safe().Seq }, []ship.Target{target})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reach(t *testing.T, s *ship.Shipper, seq uint64) {
	t.Helper()
	for range 6000 {
		if s.Status()[0].Seq >= seq {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("delivered %+v, want %d", s.Status()[0], seq)
}

// inOrder checks that every record came, and in order but for repetitions.
func inOrder(t *testing.T, got []int, n int) {
	t.Helper()
	seen, next := map[int]bool{}, 1
	for _, seq := range got {
		if seq > next {
			t.Fatalf("record %d came when %d was due", seq, next)
		}
		seen[seq] = true
		next = max(next, seq+1)
	}
	if len(seen) != n {
		t.Errorf("%d of %d records came", len(seen), n)
	}
}

// TestNothingIsLostOnTheWay has a collector that refuses, breaks connections
// and forgets to answer, and restarts the sender in between.
func TestNothingIsLostOnTheWay(t *testing.T) {
	for _, format := range []string{ship.JSONL, ship.OCSF} {
		rnd := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		var got []int
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			switch rnd.IntN(5) {
			case 0:
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			case 1:
				panic(http.ErrAbortHandler)
			}
			got = append(got, sequences(t, format, body)...)
			if rnd.IntN(5) == 0 {
				panic(http.ErrAbortHandler) // taken, but nobody hears of it
			}
		}))
		web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		dir, l := openLog(t)
		for i := range 6 {
			s := start(t, dir, l, ship.Target{URL: web.URL, Format: format, Batch: 17, Headers: map[string]string{"X": "y"}})
			put(t, l, i*100, (i+1)*100)
			if i%2 == 1 {
				reach(t, s, uint64(i+1)*100)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%3)*50*time.Millisecond)
			s.Stop(ctx)
			cancel()
		}
		s := start(t, dir, l, ship.Target{URL: web.URL, Format: format})
		reach(t, s, 600)
		s.Stop(t.Context())
		mu.Lock()
		inOrder(t, got, 600)
		mu.Unlock()
		web.Close()
	}
}

func sequences(t *testing.T, format string, body []byte) (out []int) {
	if format == ship.OCSF {
		var events []struct {
			Metadata struct {
				Sequence int `json:"sequence"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(body, &events); err != nil {
			t.Errorf("body: %v", err)
		}
		for _, e := range events {
			out = append(out, e.Metadata.Sequence)
		}
		return out
	}
	for line := range bytes.Lines(body) {
		var r durward.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Errorf("line: %v", err)
		}
		out = append(out, int(r.Seq))
	}
	return out
}

// collector takes syslog over streams, and breaks some connections.
func collector(t *testing.T, l net.Listener, breaks bool) func() []int {
	var mu sync.Mutex
	var got []int
	rnd := rand.New(rand.NewPCG(3, 4))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := 0; ; n++ {
					size, err := in.ReadString(' ')
					if err != nil {
						return
					}
					k, err := strconv.Atoi(strings.TrimSpace(size))
					if err != nil {
						t.Errorf("length %q", size)
						return
					}
					msg := make([]byte, k)
					if _, err := io.ReadFull(in, msg); err != nil {
						return
					}
					mu.Lock()
					got = append(got, seqOf(t, string(msg)))
					broken := breaks && rnd.IntN(100) == 0
					mu.Unlock()
					if broken {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return func() []int {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

func seqOf(t *testing.T, msg string) int {
	var seq int
	_, rest, ok := strings.Cut(msg, `[record@32473 seq="`)
	if _, err := fmt.Sscanf(rest, "%d", &seq); !ok || err != nil || !strings.HasPrefix(msg, "<108>1 2026-11-22T10:00:00.") || !strings.Contains(msg, "] CEF:0|Durward|Durward|1|rule_denies|tools/call refused|5|rt=1795341600000 externalId=call-") {
		t.Errorf("message %q", msg)
	}
	if !strings.Contains(msg, `cs5=role "x": a\=b|c`) {
		t.Errorf("escapes in %q", msg)
	}
	return seq
}

func TestSyslogOverStreams(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"tcp", "tls"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if network == "tls" {
			ln = tls.NewListener(ln, web.TLS)
		}
		got := collector(t, ln, network == "tcp")
		dir, l := openLog(t)
		target := ship.Target{URL: network + "://" + ln.Addr().String(), Format: ship.CEF, Batch: 20}
		if network == "tls" {
			target.CA = ca
		}
		s := start(t, dir, l, target)
		put(t, l, 0, 200)
		reach(t, s, 200)
		s.Stop(t.Context())
		enough := map[string]int{"tls": 200}[network]
		for range 6000 {
			if len(got()) >= max(enough, 150) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if network == "tls" {
			inOrder(t, got(), 200)
		} else if n := len(got()); n < 150 {
			t.Errorf("%d records came over connections that break", n)
		}
	}
}

func TestSyslogOverUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir, l := openLog(t)
	s := start(t, dir, l, ship.Target{URL: "udp://" + c.LocalAddr().String(), Format: ship.CEF})
	put(t, l, 0, 5)
	for i := range 5 {
		b := make([]byte, 64<<10)
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, _, err := c.ReadFrom(b)
		if err != nil || seqOf(t, string(b[:n])) != i+1 {
			t.Fatalf("datagram %d: %q, %v", i+1, b[:n], err)
		}
	}
	s.Stop(t.Context())
}

func TestOCSFSaysWhatItMust(t *testing.T) {
	dir, l := openLog(t)
	put(t, l, 0, 1)
	for e, err := range audit.Read(t.Context(), dir, audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := ship.Append(nil, ship.OCSF, e)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		for field, want := range map[string]any{"class_uid": 6003.0, "category_uid": 6.0, "type_uid": 600399.0, "activity_id": 99.0, "action_id": 2.0, "status_id": 2.0, "severity_id": 3.0, "time": 1795341600000.0} {
			if v[field] != want {
				t.Errorf("%s = %v, want %v", field, v[field], want)
			}
		}
		for _, field := range []string{"metadata", "actor", "api", "src_endpoint"} {
			if v[field] == nil {
				t.Errorf("there is no %s", field)
			}
		}
	}
}
