package audit_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// childDir names the variable that makes the test binary a gateway that
// appends until it is killed; killRounds asks for more than the usual rounds.
const (
	childDir   = "DURWARD_AUDIT_CHILD_DIR"
	killRounds = "DURWARD_AUDIT_KILL_ROUNDS"
)

// appendUntilKilled appends from many goroutines and tells each
// acknowledgement on stdout, one write a line.
func appendUntilKilled(dir string) int {
	l, err := audit.Open(dir, audit.Options{SegmentBytes: 128 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	failed := make(chan error)
	for g := range 24 {
		go func() {
			mode := []audit.Mode{audit.Durable, audit.Written, audit.Batched}[g%3]
			for i := 0; ; i++ {
				r := numbered(i)
				r.ID = fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				if g%2 == 0 && mode == audit.Durable { // a call that is announced, and made
					if err := l.Begin(context.Background(), r); err != nil {
						failed <- err
					}
					if _, err := fmt.Printf("made %s\n", r.ID); err != nil {
						failed <- err
					}
				}
				if err := l.Append(context.Background(), r, mode); err != nil {
					failed <- err
				}
				if mode == audit.Batched {
					time.Sleep(time.Millisecond) // else they leave the others little room
					continue
				}
				if _, err := fmt.Printf("%s %d\n", r.ID, r.Seq); err != nil {
					failed <- err
				}
			}
		}()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

// TestKilledProcessLosesNothingAcknowledged kills a gateway at random moments
// and looks for everything that it had acknowledged.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	n, acked, made, unknown, torn := rounds(t, 30, killRounds), 0, 0, 0, 0
	var dir string
	for round := range n {
		if round%5 == 0 {
			dir = t.TempDir()
		}
		before := len(tornFiles(t, dir))
		acks, calls := killOnce(t, dir)
		acked, made = acked+len(acks), made+len(calls)
		shut(t, open(t, dir, audit.Options{}))
		verify(t, dir)
		missing(t, dir, acks)
		unknown += unrecorded(t, dir, calls)
		torn += len(tornFiles(t, dir)) - before
	}
	t.Logf("%d rounds, %d acknowledged records, %d announced calls, %d of them of unknown outcome, %d torn ends", n, acked, made, unknown, torn)
}

// rounds is the usual number, or what the environment asks for.
func rounds(t *testing.T, usual int, variable string) int {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// killOnce runs a gateway, kills it and returns what it acknowledged: ids by
// sequence number, and the ids of calls that it made.
func killOnce(t *testing.T, dir string) (map[uint64]string, map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if _, err := in.Peek(1); err != nil {
		_ = cmd.Wait()
		t.Fatalf("the child acknowledged nothing: %s", &stderr)
	}
	time.AfterFunc(time.Duration(rand.IntN(int(150*time.Millisecond))), func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
	})
	acks, made := readAcks(t, in)
	_ = cmd.Wait() // it was killed
	if stderr.Len() > 0 {
		t.Fatalf("the child failed: %s", &stderr)
	}
	return acks, made
}

func readAcks(t *testing.T, in io.Reader) (map[uint64]string, map[string]bool) {
	t.Helper()
	acks, made := map[uint64]string{}, map[string]bool{}
	s := bufio.NewScanner(in)
	for s.Scan() {
		id, seq, _ := strings.Cut(s.Text(), " ")
		if id == "made" {
			made[seq] = true
			continue
		}
		n, err := strconv.ParseUint(seq, 10, 64)
		if err != nil || acks[n] != "" {
			t.Fatalf("bad acknowledgement %q", s.Text())
		}
		acks[n] = id
	}
	return acks, made
}

// unrecorded looks for the one record that each call must have, and counts
// those whose outcome nobody saw.
func unrecorded(t *testing.T, dir string, made map[string]bool) (unknown int) {
	t.Helper()
	seen := map[string]int{}
	for e, err := range audit.Read(t.Context(), dir, audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.ID]++; made[r.ID] && r.Outcome == durward.OutcomeUnknown {
			unknown++
		}
	}
	for id := range made {
		if seen[id] != 1 {
			t.Errorf("call %s was made and has %d records", id, seen[id])
		}
	}
	return unknown
}

func missing(t *testing.T, dir string, acks map[uint64]string) {
	t.Helper()
	for e, err := range audit.Read(t.Context(), dir, audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := acks[e.Seq]; ok {
			if !strings.Contains(string(e.JSON), `"id":"`+id+`"`) {
				t.Errorf("record %d is not %s: %s", e.Seq, id, e.JSON)
			}
			delete(acks, e.Seq)
		}
	}
	for seq, id := range acks {
		t.Errorf("record %d (%s) was acknowledged and is not in the log", seq, id)
	}
}
