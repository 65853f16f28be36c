package conformance

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"durward/internal/durwardtest"
)

func everything(t testing.TB, era string) (addr string) {
	t.Helper()
	return durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.EverythingServer),
		"-http", "{ADDR}", fmt.Sprintf("-stateless=%t", era == "modern"))
}

// stateless is the server of all features, with four tools that ask as the
// stateless revision does: those of the reference server ask the session, which
// it does not have there, and fail.
func stateless(t testing.TB) (addr string) {
	t.Helper()
	return durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.Asker),
		"-http", "{ADDR}", "-to", "http://"+everything(t, "modern")+"/")
}

func overHTTP(era string) func(testing.TB, suite) string {
	return func(t testing.TB, _ suite) string {
		serve := everything
		if era == "modern" {
			serve = func(t testing.TB, _ string) string { return stateless(t) }
		}
		return fmt.Sprintf("everything: {url: http://%s/, era: %s, prefix: none}", serve(t, era), era)
	}
}

func overStdio(era string) func(testing.TB, suite) string {
	return func(t testing.TB, _ suite) string {
		command, args := durwardtest.Build(t, durwardtest.EverythingServer), ""
		if era == "modern" {
			command, args = durwardtest.Build(t, durwardtest.Asker), command
		}
		return fmt.Sprintf("everything: {command: %s, args: [%s], era: %s, prefix: none}", command, args, era)
	}
}

// federated is the server of all features, in the suite's era, beside another
// one that has other names.
func federated(t testing.TB, s suite) string {
	era := map[bool]string{true: "modern", false: "legacy"}[s.revision == modern.revision]
	return fmt.Sprintf("everything: {url: http://%s/}\nnotes: {command: %s, args: [example]}",
		everything(t, era), durwardtest.Build(t, durwardtest.Durward))
}

func overSSE(t testing.TB, _ suite) string {
	s := httptest.NewServer(&sseServer{command: durwardtest.Build(t, durwardtest.EverythingServer), sessions: map[string]io.Writer{}})
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return fmt.Sprintf("everything: {url: %s/sse, transport: sse, prefix: none}", s.URL)
}

// sseServer serves a stdio server over HTTP+SSE of 2024-11-05: a process for
// each stream, whose lines are the events.
type sseServer struct {
	command string

	mu       sync.Mutex
	sessions map[string]io.Writer // guarded by mu: the processes' standard inputs
}

func (s *sseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/sse":
		s.stream(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/message":
		s.message(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *sseServer) stream(w http.ResponseWriter, r *http.Request) {
	c := exec.CommandContext(r.Context(), s.command)
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = c.Wait() }()
	id := rand.Text()
	s.put(id, in)
	defer s.put(id, nil)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: endpoint\ndata: /message?session=%s\n\n", id)
	w.(http.Flusher).Flush()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		fmt.Fprintf(w, "event: message\ndata: %s\n\n", lines.Bytes())
		w.(http.Flusher).Flush()
	}
}

func (s *sseServer) put(id string, in io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[id] = in; in == nil {
		delete(s.sessions, id)
	}
}

func (s *sseServer) message(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.sessions[r.URL.Query().Get("session")]
	if err != nil || in == nil {
		http.NotFound(w, r)
		return
	}
	_, _ = io.WriteString(in, strings.ReplaceAll(string(body), "\n", " ")+"\n")
	w.WriteHeader(http.StatusAccepted)
}
