// Package publish takes signed checkpoints to where the operator of the log
// cannot change them: files and addresses, and witnesses, which sign that the
// log only grew.
//
// Only the newest checkpoint matters: one that could not be delivered is
// replaced by the next, which covers all that it did. What cannot be delivered
// is tried again and told in [Publisher.Status]; it never stops the log.
package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"durward/internal/audit/merkle"
)

// Target is one place for checkpoints: a file, an address, or a witness when
// it has a key.
type Target struct {
	File    string
	URL     string
	Headers map[string]string
	Key     string // of the witness at URL
}

// Name is how the target is called in status and log.
func (t Target) Name() string {
	if t.File != "" {
		return t.File
	}
	u, _, _ := strings.Cut(t.URL, "?")
	return u
}

// Status is how a target is.
type Status struct {
	Target string    `json:"target"`
	Size   int64     `json:"size"` // records that its newest checkpoint covers
	Time   time.Time `json:"time,omitzero"`
	Error  string    `json:"error,omitempty"`
}

// CosignedName is the file of the newest checkpoint that a witness signed.
const CosignedName = "cosigned"

const (
	retryMin = time.Second
	retryMax = time.Minute
	patience = 15 * time.Second
)

// Publisher delivers checkpoints of the log in a folder.
type Publisher struct {
	dir    string
	log    *slog.Logger
	client *http.Client
	all    []*courier
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

// Start begins to deliver to targets. Stop it with [Publisher.Stop].
func Start(dir string, log *slog.Logger, targets []Target) (*Publisher, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Publisher{dir: dir, log: log, cancel: cancel, client: &http.Client{
		Timeout: patience, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, t := range targets {
		c := &courier{p: p, target: t, mail: make(chan []byte, 1), status: Status{Target: t.Name()}}
		if t.Key != "" {
			w, err := merkle.NewWitness(t.Key)
			if err != nil {
				cancel()
				return nil, fmt.Errorf("the key of the witness %s: %w", t.Name(), err)
			}
			c.witness = w
		}
		p.all = append(p.all, c)
	}
	for _, c := range p.all {
		p.wg.Go(func() { c.run(ctx) })
	}
	return p, nil
}

// Offer hands a checkpoint to all targets; it does not wait.
func (p *Publisher) Offer(signed []byte) {
	for _, c := range p.all {
		c.offer(signed)
	}
}

// Stop ends the deliveries; what waits gets a last try before ctx ends.
func (p *Publisher) Stop(ctx context.Context) {
	for _, c := range p.all {
		c.last(ctx)
	}
	p.cancel()
	p.wg.Wait()
	p.client.CloseIdleConnections()
}

// Status is how the targets are.
func (p *Publisher) Status() []Status {
	out := make([]Status, len(p.all))
	for i, c := range p.all {
		c.mu.Lock()
		out[i] = c.status
		c.mu.Unlock()
	}
	return out
}

// courier delivers to one target.
type courier struct {
	p       *Publisher
	target  Target
	witness *merkle.Witness
	mail    chan []byte // the newest checkpoint that waits

	mu     sync.Mutex // guards status; held over a delivery it is not
	status Status
	work   sync.Mutex // held over a delivery
}

func (c *courier) offer(signed []byte) {
	for {
		select {
		case c.mail <- signed:
			return
		default:
		}
		select {
		case <-c.mail: // an older one
		default:
		}
	}
}

func (c *courier) run(ctx context.Context) {
	backoff := retryMin
	for {
		var signed []byte
		select {
		case signed = <-c.mail:
		case <-ctx.Done():
			return
		}
		for c.deliver(ctx, signed) != nil && ctx.Err() == nil {
			select {
			case signed = <-c.mail:
			case <-time.After(backoff):
			case <-ctx.Done():
				return
			}
			backoff = min(2*backoff, retryMax)
		}
		backoff = retryMin
	}
}

func (c *courier) last(ctx context.Context) {
	select {
	case signed := <-c.mail:
		_ = c.deliver(ctx, signed) // it is logged
	default:
	}
}

func (c *courier) deliver(ctx context.Context, signed []byte) error {
	c.work.Lock()
	defer c.work.Unlock()
	cp, err := merkle.Read(signed)
	if err == nil {
		err = c.send(ctx, signed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.status.Error == "" {
			c.p.log.Warn("checkpoint of the record could not be published; it is tried again", slog.String("target", c.status.Target), slog.Any("err", err))
		}
		c.status.Error = err.Error()
		return err
	}
	c.status.Size, c.status.Time, c.status.Error = cp.N, time.Now().UTC(), ""
	return nil
}

func (c *courier) send(ctx context.Context, signed []byte) error {
	switch {
	case c.target.File != "":
		return toFile(c.target.File, signed)
	case c.witness != nil:
		return c.ask(ctx, signed)
	}
	_, _, err := c.post(ctx, c.target.URL, "text/plain; charset=utf-8", signed)
	return err
}

// toFile puts the newest checkpoint into a file, and never an older one in its place.
func toFile(path string, signed []byte) error {
	if old, err := os.ReadFile(path); err == nil {
		o, err := merkle.Read(old)
		n, err2 := merkle.Read(signed)
		if err == nil && err2 == nil && o.Origin == n.Origin && o.N > n.N {
			return fmt.Errorf("the file has a checkpoint over %d records already, this one covers %d: was the log cut?", o.N, n.N)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".checkpoint-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(signed)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // it was of no use
	}
	return err
}

func (c *courier) post(ctx context.Context, url, kind string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", kind)
	for k, v := range c.target.Headers {
		req.Header.Set(k, v)
	}
	resp, err := c.p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, err
	}
	if resp.StatusCode/100 != 2 {
		err = fmt.Errorf("it answered %s", resp.Status)
	}
	return resp.StatusCode, answer, err
}

// ask lets a witness sign (C2SP tlog-witness). One that has seen another size
// than we remember says so, and is asked again.
func (c *courier) ask(ctx context.Context, signed []byte) error {
	seen := readSeen(c.p.dir)
	old := seen[c.witness.Name()]
	tiles := merkle.Tiles{Dir: c.p.dir}
	for range 2 {
		body, err := tiles.Request(old, signed)
		if err != nil {
			return err
		}
		status, answer, err := c.post(ctx, strings.TrimRight(c.target.URL, "/")+"/add-checkpoint", "text/plain; charset=utf-8", body)
		if status == http.StatusConflict {
			size, parseErr := strconv.ParseInt(strings.TrimSpace(string(answer)), 10, 64)
			if parseErr != nil || size < 0 || size == old {
				return err
			}
			old = size
			continue
		}
		if err != nil {
			return err
		}
		cosigned, err := c.witness.AddSignatures(signed, answer)
		if err != nil {
			return err
		}
		return c.keep(seen, cosigned)
	}
	return errors.New("the witness keeps changing its mind about what it has seen")
}

// keep remembers what the witness has seen, and the checkpoint with its signature.
func (c *courier) keep(seen map[string]int64, cosigned []byte) error {
	cp, err := merkle.Read(cosigned)
	if err != nil {
		return err
	}
	seen[c.witness.Name()] = cp.N
	b, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	return errors.Join(replace(filepath.Join(c.p.dir, CosignedName), cosigned), replace(filepath.Join(c.p.dir, SeenName), b))
}

// SeenName is the file in which the publisher keeps what witnesses have seen.
const SeenName = "witnesses.json"

// readSeen is how many records each witness has seen, as far as remembered.
func readSeen(dir string) map[string]int64 {
	seen := map[string]int64{}
	if b, err := os.ReadFile(filepath.Join(dir, SeenName)); err == nil {
		_ = json.Unmarshal(b, &seen) // what is lost, the witness tells again
	}
	return seen
}

func replace(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
