package boot

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"durward/internal/edge/mcpedge"
)

// hello is the line with which `durward stdio` begins on the local socket.
type hello struct {
	Agent    string `json:"agent"`
	Endpoint string `json:"endpoint,omitempty"`
	Via      string `json:"via,omitempty"` // the gateways before the client
	// Yield is said instead by a gateway that wants the data folder.
	Yield bool `json:"yield,omitempty"`
}

const maxHello = 1 << 10

// localSocket takes stdio clients of this machine's own user (ADR 0003): the
// folder and the socket are closed to others, and who can open them could
// read the database as well.
type localSocket struct {
	face *mcpedge.Face
	log  *slog.Logger
	ln   *net.UnixListener
	give func() // is called when another gateway wants the data folder; may be nil
	ctx  context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup
}

// maxLocal bounds the connections over the socket.
const maxLocal = 256

func listenLocal(path string, face *mcpedge.Face, give func(), log *slog.Logger) (*localSocket, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the local socket: %w", err)
	}
	if err := onlyOurs(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err) // we hold the database, so nobody uses it
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s := &localSocket{face: face, give: give, log: log, ln: ln}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.wg.Go(s.accept)
	return s, nil
}

func (s *localSocket) accept() {
	slots := make(chan struct{}, maxLocal)
	for {
		conn, err := s.ln.AcceptUnix()
		if err != nil {
			return // closed
		}
		select {
		case slots <- struct{}{}:
			s.wg.Go(func() { defer func() { <-slots }(); s.serve(conn) })
		default:
			_ = conn.Close()
			s.log.Warn("local connection refused, too many are open", "most", maxLocal)
		}
	}
}

func (s *localSocket) serve(conn *net.UnixConn) {
	defer conn.Close()
	defer s.survive()
	stop := context.AfterFunc(s.ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	in := bufio.NewReaderSize(conn, 64<<10)
	h, err := readHello(conn, in)
	if err != nil {
		s.log.Warn("local connection refused", "err", err)
		return
	}
	if h.Yield {
		s.yield(conn)
		return
	}
	who := mcpedge.Local{Agent: h.Agent, Endpoint: h.Endpoint, Remote: "local", Via: h.Via, Shut: conn.CloseRead}
	if err := s.face.ServeStdio(s.ctx, in, conn, who); err != nil && s.ctx.Err() == nil {
		s.log.Info("local connection ended", "agent", h.Agent, "err", err)
	}
}

// survive keeps a bug of ours from ending more than one connection.
func (s *localSocket) survive() {
	if bug := recover(); bug != nil {
		s.log.Error("local connection panicked", "panic", bug, "stack", string(debug.Stack()))
	}
}

func readHello(conn net.Conn, in *bufio.Reader) (h hello, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return h, err
	}
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) > maxHello {
		return h, fmt.Errorf("read the greeting: %w", errors.Join(err, errTooLong(len(line))))
	}
	if err := json.Unmarshal(line, &h); err != nil || (h.Agent == "" && !h.Yield) {
		return h, fmt.Errorf("understand the greeting: %w", errors.Join(err, errors.New("it names no agent")))
	}
	return h, conn.SetReadDeadline(time.Time{})
}

func errTooLong(n int) error {
	if n <= maxHello {
		return nil
	}
	return errors.New("it is too long")
}

// close stops taking connections and lets the calls under way end. When ctx
// ends first, it cuts off what is still open.
func (s *localSocket) close(ctx context.Context) error {
	if s.face != nil {
		s.face.Drain()
	}
	err := s.ln.Close()
	stop := context.AfterFunc(ctx, s.end)
	s.wg.Wait()
	stop()
	s.end()
	return err
}
