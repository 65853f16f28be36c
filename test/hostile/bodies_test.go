package hostile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"durward/internal/durwardtest"
)

// echoing is an upstream of one tool that answers with what it was given, in
// one JSON message.
func echoing(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			ID     json.RawMessage
			Method string
			Params struct{ Arguments struct{ Text string } }
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		result := `{"resultType":"complete","ttlMs":1000,"cacheScope":"public",`
		switch m.Method {
		case "server/discover":
			result += `"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}`
		case "tools/list":
			result += `"tools":[{"name":"echo","description":"Answers with the text","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}]}`
		default:
			text, _ := json.Marshal(m.Params.Arguments.Text)
			result += `"content":[{"type":"text","text":` + string(text) + `}]}`
		}
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestLargeBodiesStayApart has two agents send large texts at the same time,
// in both eras, with callers among them that leave. Memory of bodies that is
// given back is overwritten: whoever still refers to it answers, or records,
// something that was never sent.
func TestLargeBodiesStayApart(t *testing.T) {
	t.Setenv("DURWARD_DEBUG", "poison")
	keys := map[string]string{"one": "one-key-0123456789abcdef-0123456789abcdef", "two": "two-key-0123456789abcdef-0123456789abcdef"}
	g := durwardtest.Serve(t, "echo: {url: "+echoing(t)+"}", `agents:
  one: {key: `+keys["one"]+`, roles: [all]}
  two: {key: `+keys["two"]+`, roles: [all]}
roles:
  all: {allow: ["*"]}
`)
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		sent = map[string]map[string]bool{"one": {}, "two": {}} // digests by agent; guarded by mu
	)
	for name, key := range keys {
		caller := durwardtest.Caller{URL: g.Endpoint(), Key: key}
		legacy := caller.Open(t, "2025-11-25")
		for n := range 4 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(n), uint64(name[0])))
				for round := range 12 {
					text := strings.Repeat(fmt.Sprintf("%s-%d-%d ", name, n, round), 70<<10/8+random.IntN(20<<10))
					args, _ := json.Marshal(map[string]string{"text": text})
					mu.Lock()
					sent[name][fmt.Sprintf("%x", sha256.Sum256(args))] = true
					mu.Unlock()
					switch {
					case round%4 == 3:
						leave(g.Endpoint(), key, string(args), time.Duration(random.IntN(3000))*time.Microsecond)
						continue
					case round%2 == 0:
						sameText(t, caller.Call(t, "echo__echo", string(args)), text)
					default:
						sameText(t, legacy.Call(t, "echo__echo", string(args)), text)
					}
				}
			})
		}
	}
	all.Wait()
	told := 0
	for _, r := range g.Records(t) {
		if r.Asked != "echo__echo" || r.ArgsSHA256 == "" {
			continue
		}
		told++
		if !sent[r.Agent][r.ArgsSHA256] {
			t.Errorf("the record of a call of %s has the digest %s, of arguments that it did not send", r.Agent, r.ArgsSHA256)
		}
	}
	if told == 0 {
		t.Error("no record has the digest of a call's arguments")
	}
}

func sameText(t *testing.T, a durwardtest.Answer, want string) {
	t.Helper()
	if got, isError := a.Text(); got != want || isError {
		t.Errorf("an answer of %d bytes begins %.80q, want the %d bytes that were sent: %.40q", len(got), got, len(want), want)
	}
}

// leave makes a call and goes away while it is under way.
func leave(url, key, args string, after time.Duration) {
	body, header := durwardtest.Modern("1", "tools/call", "echo__echo", `{"name":"echo__echo","arguments":`+args+`}`)
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Authorization", "Bearer "+key)
	client := http.Client{Timeout: after + time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := client.Do(r); err == nil {
		_ = res.Body.Close()
	}
}
