package durwardtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// HTTP puts a recording hop before an HTTP server and returns the URL to use
// in place of target. line names it in faults.
func (w *Wire) HTTP(t testing.TB, line, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("tap %s: %v", line, err)
	}
	p := &tap{w: w, line: line, talks: map[string]*talk{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
			r.Out.Host = u.Host
		},
		ModifyResponse: p.response,
		FlushInterval:  -1,
		Transport:      &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) {
			rw.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		p.request(r)
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	tapped := *u
	tapped.Scheme, tapped.Host = "http", strings.TrimPrefix(server.URL, "http://")
	return tapped.String()
}

// tap follows the conversations on one HTTP line.
type tap struct {
	w    *Wire
	line string

	mu    sync.Mutex
	talks map[string]*talk // guarded by mu: by session id, or by the path and query of a message URL
}

// exchange is carried from a request to its response.
type exchange struct{ k *talk }

func (p *tap) request(r *http.Request) {
	k := p.talkOf(r)
	*r = *r.WithContext(withExchange(r.Context(), &exchange{k}))
	if r.Method != http.MethodPost || r.Body == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client lied about its length; nothing to validate
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	k.see(FromClient, body)
}

// talkOf finds the conversation of a request: by session id, by the message
// URL of HTTP+SSE, else a new one.
func (p *tap) talkOf(r *http.Request) *talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range []string{r.Header.Get("Mcp-Session-Id"), r.URL.RequestURI()} {
		if k, ok := p.talks[key]; ok && key != "" {
			return k
		}
	}
	k := p.w.newTalk(p.line)
	k.revision = r.Header.Get("Mcp-Protocol-Version")
	if k.revision == "" {
		k.revision = "2025-03-26"
	}
	return k
}

func (p *tap) know(key string, k *talk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.talks[key] = k
}

func (p *tap) response(r *http.Response) error {
	x := exchangeOf(r.Request.Context())
	if x == nil {
		return errors.New("an exchange was not recorded")
	}
	if id := r.Header.Get("Mcp-Session-Id"); id != "" {
		p.know(id, x.k)
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		if r.Request.Method == http.MethodPost {
			r.Body = &jsonBody{ReadCloser: r.Body, k: x.k}
		}
	case "text/event-stream":
		r.Body = newEventBody(r.Body, p, x.k)
	}
	return nil
}

// jsonBody sees one message, when its end was read.
type jsonBody struct {
	io.ReadCloser
	k    *talk
	seen []byte
}

func (b *jsonBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.seen = append(b.seen, p[:n]...)
	if errors.Is(err, io.EOF) && b.k != nil {
		b.k.see(FromServer, b.seen)
		b.k = nil
	}
	return n, err
}

// eventBody sees the messages of a stream of events as they pass.
type eventBody struct {
	io.ReadCloser
	p     *tap
	k     *talk
	rest  []byte
	event string
	data  []string
}

func newEventBody(r io.ReadCloser, p *tap, k *talk) *eventBody {
	return &eventBody{ReadCloser: r, p: p, k: k}
}

func (b *eventBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.rest = append(b.rest, p[:n]...)
	for {
		line, rest, found := bytes.Cut(b.rest, []byte("\n"))
		if !found {
			return n, err
		}
		b.rest = rest
		b.line(strings.TrimSuffix(string(line), "\r"))
	}
}

func (b *eventBody) line(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch {
	case line == "":
		b.dispatch(strings.Join(b.data, "\n"))
		b.event, b.data = "", nil
	case field == "event":
		b.event = value
	case field == "data":
		b.data = append(b.data, value)
	}
}

func (b *eventBody) dispatch(data string) {
	switch {
	case data == "":
	case b.event == "endpoint":
		if u, err := url.Parse(data); err == nil {
			b.p.know(u.RequestURI(), b.k)
		}
	default:
		b.k.see(FromServer, []byte(data))
	}
}

// Stdio wraps the command line of a stdio server, so that what passes is kept
// in a file and validated when the test ends.
func (w *Wire) Stdio(t testing.TB, line string, command ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lines")
	t.Cleanup(func() { w.replay(t, line, file) })
	return append([]string{Build(t, Tee), file}, command...)
}

// replay reads what Tee wrote: a line is "> " or "< " and a message, "= " a new process.
func (w *Wire) replay(t testing.TB, line, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Errorf("%s was never started: %v", line, err)
		return
	}
	defer func() { _ = f.Close() }()
	talks := map[string]*talk{}
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		pid, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		way, message, _ := strings.Cut(rest, " ")
		k := talks[pid]
		if k == nil {
			k = w.newTalk(line)
			talks[pid] = k
		}
		switch way {
		case ">":
			k.see(FromClient, []byte(message))
		case "<":
			k.see(FromServer, []byte(message))
		}
	}
}
