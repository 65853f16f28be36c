package mcphttp_test

import (
	"net/http"
	"testing"
	"time"

	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
)

// Many servers ask on the GET stream whatever the question is for, and what is
// asked while nobody listens there is lost: the stream stands before the first
// call, however slow it is to come.
func TestTheStreamStandsBeforeTheFirstCallOfASessionThatMayBeAsked(t *testing.T) {
	stands := make(chan struct{})
	s := &session{
		get: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(50 * time.Millisecond)
			close(stands)
			events(w, ": here\n\n")
			<-r.Context().Done()
		},
		calls: func(w http.ResponseWriter, _ *http.Request, m *mcpwire.Message) {
			result := `{"heard":true}`
			select {
			case <-stands:
			default:
				result = `{"heard":false}`
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(mcpwire.AppendResult(nil, m.ID, []byte(result)))
		},
	}
	i := &ids{}
	o := options(i, true)
	o.Asks = true
	l, err := mcphttp.OpenLegacy(brief(t), endpoint(t, s), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(brief(t)) })
	a, err := l.Do(brief(t), &link.Call{ID: i.next(), Method: "tools/call", Params: mcpwire.Whole([]byte(`{"name":"x"}`))})
	if err != nil || string(a.Result) != `{"heard":true}` {
		t.Errorf("Do = %s %v, want the stream to stand before the call", a.Result, err)
	}
}

// A server that answers the stream with its first word only, or never, holds up
// nobody for long.
func TestAStreamThatDoesNotComeHoldsUpNoCall(t *testing.T) {
	s := &session{get: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
	i := &ids{}
	o := options(i, true)
	o.Asks = true
	began := time.Now()
	l, err := mcphttp.OpenLegacy(brief(t), endpoint(t, s), o)
	if err != nil {
		t.Fatal(err)
	}
	l.Close(brief(t))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("opening took %v", took)
	}
}
