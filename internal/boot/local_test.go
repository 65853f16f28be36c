package boot_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"durward/internal/boot"
)

// TestABugEndsOneLocalConnection: a panic while a local client is served ends
// its connection, and neither the process nor the socket.
func TestABugEndsOneLocalConnection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own", "s")
	var log bytes.Buffer
	end, err := boot.ListenLocal(path, nil, slog.New(slog.NewTextHandler(&log, nil))) // no face: serving panics
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, `{"agent":"bot"}`+"\n"); err != nil {
			t.Error(err)
		}
		if b, _ := io.ReadAll(conn); len(b) > 0 {
			t.Errorf("the connection said %s", b)
		}
		conn.Close()
	}
	if err := end(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "local connection panicked"); n != 2 {
		t.Errorf("%d panics are in the log, want 2:\n%s", n, log.String())
	}
}
