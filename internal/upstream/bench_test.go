package upstream_test

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkDo is one small call over a connection that stands, 32 at a time.
// Both ends and the loopback between them are in the figure.
func BenchmarkDo(b *testing.B) {
	for _, modern := range []bool{true, false} {
		b.Run("modern="+strconv.FormatBool(modern), func(b *testing.B) {
			a := legacyAgent
			if modern {
				a = modernAgent
			}
			s := newSet(b, nil, badHTTP(b, modern, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)) }))
			r := a.request(b, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{"text":"0123456789012345678901234567890"}}`)
			run(b, s, r)
		})
	}
}

func run(b *testing.B, s *upstream.Set, r *upstream.Request) {
	b.Helper()
	if _, err := s.Do(context.Background(), r, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(16) // on two cores, 32 calls
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		p := deaf{}
		for pb.Next() {
			if _, err := s.Do(context.Background(), r, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type deaf struct{}

func (deaf) Notify(string, []byte) {}
func (deaf) Ask(context.Context, string, []byte) ([]byte, error) {
	return nil, durward.ErrCannotAsk
}

// BenchmarkCrossing is what a call costs between the eras beside one within
// them, the form of the answer included: a call of each era to a server of
// each. Crossing must not cost 30 % more.
func BenchmarkCrossing(b *testing.B) {
	for _, server := range []bool{true, false} {
		for _, client := range []bool{true, false} {
			b.Run(fmt.Sprintf("client=%s/server=%s", word(client), word(server)), func(b *testing.B) {
				a := agent{revision: mcpwire.V20251125, name: "a", session: "s", caps: ableToAll}
				if client {
					a = agent{revision: mcpwire.V20260728, name: "a", caps: ableToAll}
				}
				s := newSet(b, nil, badHTTP(b, server, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)) }))
				r := a.request(b, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{"text":"0123456789012345678901234567890"}}`)
				r.Answers = client && !server
				bring(b, s, r)
			})
		}
	}
}

func word(modern bool) string {
	if modern {
		return "modern"
	}
	return "legacy"
}

// bring makes calls one after the other and gives each answer its client's form.
func bring(b *testing.B, s *upstream.Set, r *upstream.Request) {
	b.Helper()
	call := func() {
		reply, err := s.Do(context.Background(), r, deaf{})
		switch {
		case err != nil || reply.Error != nil:
			b.Fatal(reply.Error, err)
		case reply.Modern == r.Modern:
		case r.Modern:
			mcpwire.ToModernResult(r.Method, reply.Result, mcpwire.Hints{})
		default:
			mcpwire.ToLegacyResult(r.Method, r.Revision, reply.Result)
		}
	}
	call()
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// BenchmarkFloor is the same exchange with nothing of ours but the client of
// net/http: what Do adds to it is ours.
func BenchmarkFloor(b *testing.B) {
	up := badHTTP(b, true, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)) })
	tr := &http.Transport{MaxIdleConnsPerHost: 256}
	defer tr.CloseIdleConnections()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","arguments":{"text":"0123456789012345678901234567890"}}}`
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest(http.MethodPost, up.URL, strings.NewReader(body))
			res, err := tr.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
}
