// Package ship takes records to where others watch: syslog (RFC 5424 over TLS,
// TCP or UDP) and HTTP, as they stand in the log, as OCSF or as CEF.
//
// It promises that nothing is lost and nothing is out of order: each target has
// a cursor on the disk that moves when the other side has taken a batch, so a
// batch may come twice, after a restart or a broken connection. Over UDP, and
// over TCP where the system cannot tell what was taken, that is as far as the
// network tells. Only records that a loss of power cannot take back are sent.
// What cannot be delivered is tried again for ever and told in [Shipper.Status].
package ship

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
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

	"durward/internal/audit"
)

// Target is where records go.
type Target struct {
	Name    string
	URL     string // http, https; tls, tcp, udp for syslog
	Format  string
	Headers map[string]string
	CA      string
	Batch   int
	Every   time.Duration
	Retry   time.Duration // the first wait after a failure; it doubles
}

const (
	usualBatch = 500
	usualEvery = time.Second
	maxBytes   = 4 << 20 // of a batch
	retryMin   = 500 * time.Millisecond
	retryMax   = time.Minute
	patience   = 30 * time.Second
)

// Status is how a target is.
type Status struct {
	Name  string `json:"name"`
	Seq   uint64 `json:"seq"` // the last record that was taken
	Error string `json:"error,omitempty"`
}

// Shipper delivers the log in a folder to targets.
type Shipper struct {
	all    []*carrier
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Start begins to deliver. safe tells up to which record the log is safe.
// Stop it with [Shipper.Stop].
func Start(dir string, log *slog.Logger, safe func() uint64, targets []Target) (*Shipper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Shipper{cancel: cancel}
	for _, t := range targets {
		c, err := newCarrier(dir, log, safe, t)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("export %s: %w", t.Name, err)
		}
		s.all = append(s.all, c)
	}
	for _, c := range s.all {
		s.wg.Go(func() { c.run(ctx) })
	}
	return s, nil
}

// Stop ends the deliveries; what is left gets a last try, no longer than ctx.
func (s *Shipper) Stop(ctx context.Context) {
	s.cancel()
	s.wg.Wait()
	for _, c := range s.all {
		if ctx.Err() == nil && c.status().Error == "" {
			_, _ = c.pass(ctx) // what is not taken stays for the next start
		}
		c.way.close()
	}
}

// Status is how the targets are.
func (s *Shipper) Status() []Status {
	out := make([]Status, len(s.all))
	for i, c := range s.all {
		out[i] = c.status()
	}
	return out
}

// way takes a batch to the other side.
type way interface {
	send(ctx context.Context, batch []audit.Entry) error
	close()
}

// carrier serves one target.
type carrier struct {
	target Target
	dir    string
	log    *slog.Logger
	safe   func() uint64
	way    way
	reader *audit.Reader

	mu  sync.Mutex // guards now
	now Status
}

func newCarrier(dir string, log *slog.Logger, safe func() uint64, t Target) (*carrier, error) {
	if t.Batch <= 0 {
		t.Batch = usualBatch
	}
	if t.Every <= 0 {
		t.Every = usualEvery
	}
	if t.Retry <= 0 {
		t.Retry = retryMin
	}
	c := &carrier{target: t, dir: dir, log: log, safe: safe}
	seq, err := c.readCursor()
	if err != nil {
		return nil, err
	}
	c.now = Status{Name: t.Name, Seq: seq}
	c.reader = audit.NewReader(dir, seq)
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.CA)
		}
	}
	scheme, rest, _ := strings.Cut(t.URL, "://")
	switch scheme {
	case "http", "https":
		c.way = newWeb(t, conf)
	case "tls", "tcp", "udp":
		c.way = newSyslog(scheme, rest, t.Format, conf)
	default:
		return nil, fmt.Errorf("%s is no address that records can go to", t.URL)
	}
	return c, nil
}

func (c *carrier) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *carrier) run(ctx context.Context) {
	backoff := c.target.Retry
	for {
		more, err := c.pass(ctx)
		wait := c.target.Every
		switch {
		case err != nil:
			wait, backoff = backoff, min(2*backoff, retryMax)
		case more:
			wait, backoff = 0, c.target.Retry
		default:
			backoff = c.target.Retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// pass delivers one batch, and tells whether there is more.
func (c *carrier) pass(ctx context.Context) (bool, error) {
	more, err := c.deliver(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.now.Error = ""
		return more, nil
	}
	if ctx.Err() == nil {
		if c.now.Error == "" {
			c.log.Warn("records could not be exported; it is tried again", slog.String("target", c.target.Name), slog.Any("err", err))
		}
		c.now.Error = err.Error()
	}
	c.reader = audit.NewReader(c.dir, c.now.Seq) // the batch goes once more
	return false, err
}

func (c *carrier) deliver(ctx context.Context) (bool, error) {
	safe := c.safe()
	var batch []audit.Entry
	seq, err := c.reader.Read(safe, c.target.Batch, func(e audit.Entry) error {
		batch = append(batch, audit.Entry{Seq: e.Seq, JSON: bytes.Clone(e.JSON)})
		return nil
	})
	if err != nil {
		return false, err
	}
	for len(batch) > 0 {
		n := fit(batch)
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := c.way.send(ctx, batch[:n])
		cancel()
		if err != nil {
			return false, err
		}
		if err := c.moved(batch[n-1].Seq); err != nil {
			return false, err
		}
		batch = batch[n:]
	}
	if seq > c.status().Seq { // intents at the end
		err = c.moved(seq)
	}
	return seq < safe, err
}

// fit is how many entries go into one batch.
func fit(all []audit.Entry) int {
	size := 0
	for i := range all {
		if size += len(all[i].JSON); size > maxBytes && i > 0 {
			return i
		}
	}
	return len(all)
}

// cursor is what is remembered of a target.
type cursor struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

func (c *carrier) cursorPath() string { return filepath.Join(c.dir, "export", c.target.Name+".json") }

func (c *carrier) readCursor() (uint64, error) {
	b, err := os.ReadFile(c.cursorPath())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var v cursor
	if err := json.Unmarshal(b, &v); err != nil {
		return 0, fmt.Errorf("%s: %w", c.cursorPath(), err)
	}
	return v.Seq, nil
}

// moved remembers that all up to seq was taken.
func (c *carrier) moved(seq uint64) error {
	b, err := json.Marshal(cursor{seq, time.Now().UTC()})
	if err != nil {
		return err
	}
	path := c.cursorPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Seq = seq
	return nil
}

// web posts batches.
type web struct {
	target Target
	client *http.Client
}

func newWeb(t Target, conf *tls.Config) *web {
	return &web{t, &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (w *web) close() { w.client.CloseIdleConnections() }

func (w *web) send(ctx context.Context, batch []audit.Entry) error {
	body, err := bodyOf(w.target.Format, batch)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.target.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", map[string]string{JSONL: "application/x-ndjson", OCSF: "application/json", CEF: "text/plain; charset=utf-8"}[w.target.Format])
	req.Header.Set("Idempotency-Key", "durward-"+strconv.FormatUint(batch[0].Seq, 10)+"-"+strconv.FormatUint(batch[len(batch)-1].Seq, 10))
	for k, v := range w.target.Headers {
		req.Header.Set(k, v)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

func bodyOf(format string, batch []audit.Entry) ([]byte, error) {
	var out []byte
	var err error
	for i, e := range batch {
		switch {
		case format == OCSF && i == 0:
			out = append(out, '[')
		case format == OCSF:
			out = append(out, ',')
		}
		if out, err = Append(out, format, e); err != nil {
			return nil, err
		}
		if format != OCSF {
			out = append(out, '\n')
		}
	}
	if format == OCSF {
		out = append(out, ']')
	}
	return out, nil
}
