package boot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"durward/internal/boot"
	"durward/internal/config"
	"durward/internal/store"
)

// TestASeatInAFolderThatIsTaken: whoever has the database and takes no clients
// is waited for, and then told of.
func TestASeatInAFolderThatIsTaken(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Parse(filepath.Join(dir, "durward.yaml"), nil, config.Options{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	in, agentIn := io.Pipe()
	defer agentIn.Close()
	tries := 0
	seat := boot.Seat{
		Data: dir, Client: boot.StdioClient{Agent: "bot", In: in, Out: io.Discard}, First: 4 * time.Second,
		Start: func(ctx context.Context) (*boot.Gateway, error) {
			tries++
			return boot.Start(ctx, cfg, boot.Options{Passing: true})
		},
	}
	if err := seat.Serve(t.Context()); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "belongs to a gateway that is running") {
		t.Errorf("Serve = %v", err)
	}
	if tries < 2 {
		t.Errorf("it was tried %d times", tries)
	}
}

// TestAGatewayThatHangsUp: one that is leaving may close a connection that it
// has not taken yet. The client looks for the next.
func TestAGatewayThatHangsUp(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EPIPE: true, syscall.ECONNRESET: true, syscall.ECONNREFUSED: true, syscall.ENOENT: true, syscall.EAGAIN: true,
		syscall.EACCES: false, context.DeadlineExceeded: false,
	} {
		if got := boot.IsNobody(fmt.Errorf("greet the gateway: %w", &net.OpError{Op: "write", Err: os.NewSyscallError("write", err)})); got != want {
			t.Errorf("IsNobody(%v) = %v, want %v", err, got, want)
		}
	}
}

// TestAGatewayOfASeatThatFails is ended like one that was started on purpose,
// and the client goes on with another.
func TestAGatewayOfASeatThatFails(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Parse(filepath.Join(dir, "durward.yaml"), nil, config.Options{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	in, agentIn := io.Pipe()
	started, ended := make(chan *boot.Gateway, 10), make(chan error, 1)
	seat := boot.Seat{
		Data: dir, Client: boot.StdioClient{Agent: "bot", In: in, Out: io.Discard}, Drain: time.Minute,
		Start: func(ctx context.Context) (*boot.Gateway, error) {
			g, err := boot.Start(ctx, cfg, boot.Options{Passing: true})
			if err == nil {
				started <- g
			}
			return g, err
		},
	}
	go func() { ended <- seat.Serve(context.WithoutCancel(t.Context())) }()
	for range 2 {
		select {
		case g := <-started:
			g.Break(errors.New("broken"))
		case <-time.After(time.Minute):
			t.Fatal("no gateway is started")
		}
	}
	agentIn.Close()
	select {
	case err := <-ended:
		if err != nil && !strings.Contains(err.Error(), "broken") {
			t.Errorf("Serve = %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the seat does not end")
	}
}
