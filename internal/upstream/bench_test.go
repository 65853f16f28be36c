package upstream_test

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
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
