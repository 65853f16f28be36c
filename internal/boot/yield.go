package boot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"

	"durward/internal/admin"
	"durward/internal/store"
)

// wanted is whether another gateway asked for the data folder.
type wanted struct {
	once  sync.Once
	asked chan struct{}
}

// Wanted is closed when another gateway asked a passing one for the data folder.
func (g *Gateway) Wanted() <-chan struct{} { return g.wanted.asked }

// gives is what the local socket does when another gateway asks; nil when this
// one is here to stay.
func (g *Gateway) gives() func() {
	if !g.opts.Passing {
		return nil
	}
	return func() { g.wanted.once.Do(func() { close(g.wanted.asked) }) }
}

const yields = `{"yields":true}`

func (s *localSocket) yield(conn net.Conn) {
	if s.give == nil {
		return
	}
	if _, err := io.WriteString(conn, yields+"\n"); err != nil {
		return
	}
	s.log.Info("another gateway takes the data folder")
	s.give()
}

// yieldTime is how long a passing gateway has to end beside what its calls may
// take to.
const yieldTime = 15 * time.Second

// openStore opens the database. A passing gateway does not wait for it: somebody
// else may be about to serve its client. One that was started on purpose asks a
// passing one for it.
func (g *Gateway) openStore(ctx context.Context) (*store.DB, error) {
	o := store.Options{Seal: sealKey(g.cfg)}
	if g.opts.Passing {
		o.Wait = time.Millisecond
		return store.Open(g.cfg.Data, o)
	}
	db, err := store.Open(g.cfg.Data, o)
	if !errors.Is(err, store.ErrLocked) {
		return db, err
	}
	run, none := admin.ReadRun(g.cfg.Data)
	switch {
	case errors.Is(none, admin.ErrNotRunning): // it is just about to close the database, or to say who it is
		return store.Open(g.cfg.Data, o)
	case none != nil || !run.Passing:
		return nil, err
	}
	g.opts.Log.Info("waiting for the gateway of a `durward stdio` to leave the data folder", "pid", run.PID)
	return g.takeOver(ctx, o)
}

// takeOver waits for the database of a passing gateway, which is asked to leave
// unless it does so already.
func (g *Gateway) takeOver(ctx context.Context, o store.Options) (*store.DB, error) {
	release, err := admin.Claim(g.cfg.Data) // or the clients of the passing one would take the folder
	if err != nil {
		return nil, errors.Join(store.ErrLocked, err)
	}
	defer release()
	asked := false
	for late := time.Now().Add(g.cfg.Limits.DrainTimeout + yieldTime); ; {
		if !asked {
			err := askToYield(ctx, g.cfg.Data)
			if err != nil && !isNobody(err) { // nobody is there before it serves, and once it is leaving
				return nil, errors.Join(store.ErrLocked, err)
			}
			asked = err == nil
		}
		db, err := store.Open(g.cfg.Data, o)
		if !errors.Is(err, store.ErrLocked) || ctx.Err() != nil || time.Now().After(late) {
			return db, err
		}
	}
}

func askToYield(ctx context.Context, data string) error {
	path := SocketPath(data)
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("ask the gateway to leave the data folder: %w", err)
	}
	defer conn.Close()
	if err := errors.Join(onlyOurs(filepath.Dir(path)), conn.SetDeadline(time.Now().Add(5*time.Second))); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, `{"yield":true}`+"\n"); err != nil {
		return fmt.Errorf("ask the gateway to leave the data folder: %w", err)
	}
	answer, err := bufio.NewReaderSize(conn, maxHello).ReadSlice('\n')
	if string(answer) != yields+"\n" {
		return errors.Join(errors.New("the gateway does not leave the data folder"), err)
	}
	return nil
}
