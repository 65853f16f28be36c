package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// sighting is what a server saw of one call.
type sighting struct {
	Calls     int // times that it began: more than once is a side effect done twice
	Asked     []question
	Answers   map[string]string // by question
	Refused   []string          // questions that were answered with an error
	Hangs     bool
	Cancelled bool
	Ended     bool
}

// stage is a server's side of all scripts.
type stage struct {
	mu   sync.Mutex // guards what follows
	seen map[int]*sighting
	tell func(id int, g sighting) // to whom it may concern elsewhere
}

func newStage() *stage { return &stage{seen: map[int]*sighting{}} }

func (s *stage) note(id int, fn func(*sighting)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[id] == nil {
		s.seen[id] = &sighting{Answers: map[string]string{}}
	}
	fn(s.seen[id])
	if s.tell != nil {
		s.tell(id, *s.seen[id])
	}
}

// until waits until what was seen of a script is so, and returns it in any case.
func (s *stage) until(id int, is func(sighting) bool) sighting {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if g := s.of(id); is(g) || time.Now().After(end) {
			return g
		}
	}
}

// of returns what was seen of a script.
func (s *stage) of(id int) sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[id] == nil {
		return sighting{}
	}
	out := *s.seen[id]
	out.Answers = maps.Clone(out.Answers)
	return out
}

// caller is the client as a server of either era sees it while a call runs.
type caller interface {
	notify(method, params string)
	// ask returns the answers by question, or errWaits when they come with
	// another request.
	ask(ctx context.Context, qs []question) (map[string]string, error)
}

var (
	errWaits   = errors.New("the answers come with another request")
	errRefused = errors.New("the client answered with an error")
)

func (q question) key() string { return fmt.Sprintf("%s-%d", q.Kind, q.N) }

// begins counts a call that is new.
func (s *stage) begins(sc script) { s.note(sc.ID, func(g *sighting) { g.Calls++ }) }

// play does what a script says, from a step on, and returns the result.
func (s *stage) play(ctx context.Context, sc script, from int, token json.RawMessage, c caller) (string, error) {
	for i, st := range sc.Steps[from:] {
		if err := s.step(ctx, sc, st, token, c); err != nil {
			return "", fmt.Errorf("step %d: %w", from+i, err)
		}
	}
	s.note(sc.ID, func(g *sighting) { g.Ended = true })
	seen := s.of(sc.ID)
	text, err := json.Marshal(seen.Answers)
	if err != nil {
		return "", err
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return "", err
	}
	back, err := json.Marshal(sc.Text)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`{"content":[{"type":"text","text":%s},{"type":"text","text":%s}],"_meta":{"example.com/number":%s}}`, quoted, back, sc.Number), nil
}

func (s *stage) step(ctx context.Context, sc script, st step, token json.RawMessage, c caller) error {
	switch {
	case st.Progress > 0 && token != nil:
		c.notify("notifications/progress", fmt.Sprintf(`{"progressToken":%s,"progress":%d}`, token, st.Progress))
	case st.Log != "":
		c.notify("notifications/message", fmt.Sprintf(`{"level":%q,"logger":"s%d","data":"x"}`, st.Log, sc.ID))
	case st.Hang:
		s.note(sc.ID, func(g *sighting) { g.Hangs = true })
		<-ctx.Done()
		s.note(sc.ID, func(g *sighting) { g.Cancelled = true })
		return ctx.Err()
	case len(st.Ask) > 0:
		answers, err := c.ask(ctx, st.Ask)
		s.note(sc.ID, func(g *sighting) {
			maps.Copy(g.Answers, answers)
			if errors.Is(err, errWaits) {
				return
			}
			g.Asked = append(g.Asked, st.Ask...)
			for _, q := range st.Ask {
				if _, ok := answers[q.key()]; !ok {
					g.Refused = append(g.Refused, q.key())
				}
			}
		})
		if errors.Is(err, errRefused) {
			return nil // a server can live with that
		}
		return err
	}
	return nil
}

// hears reports whether a log level is at least another one.
func hears(level, least string) bool {
	all := []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}
	return slices.Index(all, level) >= slices.Index(all, least)
}

// tool is the one that the servers have, as it is listed.
const tool = `{"name":"play","description":"Does what it is told","inputSchema":{"type":"object","properties":{"id":{"type":"integer"}}}}`

// sender takes messages for the client.
type sender interface{ send(msg string) }

// reply sends the result of a request, and refuse that there is none.
func reply(out sender, id json.RawMessage, result string) {
	out.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result))
}

func unknown(out sender, id json.RawMessage) {
	out.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, id))
}

// message is one JSON-RPC message.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func (e *rpcError) String() string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%d %s %s", e.Code, e.Message, e.Data)
}

// called is the params of a call.
type called struct {
	Name           string                     `json:"name"`
	Arguments      script                     `json:"arguments"`
	InputResponses map[string]json.RawMessage `json:"inputResponses"`
	RequestState   string                     `json:"requestState"`
	Meta           struct {
		Token json.RawMessage `json:"progressToken"`
		Level string          `json:"io.modelcontextprotocol/logLevel"`
	} `json:"_meta"`
}
