package durwardtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Side is who sent a message.
type Side string

// The two ends of a line.
const (
	FromClient Side = "client"
	FromServer Side = "server"
)

func (s Side) other() Side {
	if s == FromClient {
		return FromServer
	}
	return FromClient
}

// Message is one JSON-RPC message as it was seen.
type Message struct {
	Time     time.Time
	Line     string // which of the recorded lines
	From     Side
	Revision string
	Method   string // of the request, for its response too
	Raw      string
	Response bool
}

// Wire records the messages on the lines of a test, and validates each against
// the schema of its revision. Violations fail the test when it ends.
type Wire struct {
	schemas *Schemas // nil where the schemas do not lie beside the project

	mu       sync.Mutex
	messages []Message // guarded by mu
	faults   []string  // guarded by mu
	pardons  []string  // guarded by mu
}

// NewWire returns a recorder whose verdict is given at the end of the test.
func NewWire(t testing.TB) *Wire {
	t.Helper()
	w := &Wire{}
	s, ok := NewSchemas(t)
	if ok {
		w.schemas = s
	} else {
		t.Log("no ../shared/schema/mcp: messages are recorded but not validated")
	}
	t.Cleanup(func() { w.verdict(t) })
	return w
}

// Pardon excuses faults that contain text: a peer of ours breaks the schema.
// The reason is for the reader of the test.
func (w *Wire) Pardon(text, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = reason
	w.pardons = append(w.pardons, text)
}

// Messages are all that was seen so far.
func (w *Wire) Messages() []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Message(nil), w.messages...)
}

func (w *Wire) verdict(t testing.TB) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if file := os.Getenv("DURWARD_WIRE"); file != "" && t.Failed() {
		w.dump(t, file)
	}
	if len(w.messages) == 0 && !t.Failed() && !t.Skipped() {
		t.Error("the recorder saw no message: nothing was validated")
	}
	shown := 0
	for _, f := range w.faults {
		if w.pardoned(f) {
			continue
		}
		if shown++; shown > 20 {
			t.Errorf("and more: %d violations in all", len(w.faults))
			return
		}
		t.Error(f)
	}
}

// dump writes what was seen to a file, for whoever looks for a fault. The
// caller holds mu.
func (w *Wire) dump(t testing.TB, file string) {
	var b strings.Builder
	for _, m := range w.messages {
		fmt.Fprintf(&b, "%s %s, from the %s: %s\n", m.Time.Format("15:04:05.000"), m.Line, m.From, m.Raw)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Logf("write what was seen: %v", err)
	}
}

func (w *Wire) pardoned(fault string) bool {
	for _, p := range w.pardons {
		if strings.Contains(fault, p) {
			return true
		}
	}
	return false
}

// talk is one conversation: the messages between one client and one server.
type talk struct {
	w    *Wire
	line string

	mu       sync.Mutex
	revision string           // guarded by mu: as negotiated
	asked    map[string]asked // guarded by mu: open requests by sender and id
}

type asked struct{ method, revision, token string }

func (w *Wire) newTalk(line string) *talk {
	return &talk{w: w, line: line, asked: map[string]asked{}}
}

// envelope is as much of a message as is needed to tell what it is.
type envelope struct {
	ID     json.RawMessage
	Method string
	Params struct {
		ProtocolVersion string
		ProgressToken   json.RawMessage // of a report
		Meta            struct {
			Version       string          `json:"io.modelcontextprotocol/protocolVersion"`
			ProgressToken json.RawMessage // of a request
		} `json:"_meta"`
	}
	Result json.RawMessage
	Error  json.RawMessage
}

// see takes what one side sent: a message, or an array of them.
func (k *talk) see(from Side, raw []byte) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return
	}
	if raw[0] != '[' {
		k.one(from, raw)
		return
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(raw, &batch); err != nil {
		k.fault(from, raw, err)
		return
	}
	k.mu.Lock()
	rev := k.revision
	k.mu.Unlock()
	if rev != "2025-03-26" {
		k.fault(from, raw, fmt.Errorf("a batch in revision %q", rev))
	}
	for _, m := range batch {
		k.one(from, m)
	}
}

func (k *talk) one(from Side, raw []byte) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		k.fault(from, raw, err)
		return
	}
	if e.Method == "" {
		k.response(from, e, raw)
		return
	}
	rev := k.revisionOf(e)
	k.keep(Message{From: from, Revision: rev, Method: e.Method, Raw: string(raw)})
	if e.ID != nil {
		k.mu.Lock()
		k.asked[string(from)+string(e.ID)] = asked{e.Method, rev, string(e.Params.Meta.ProgressToken)}
		k.mu.Unlock()
	} else if e.Method == "notifications/progress" && !k.wantsProgress(from.other(), string(e.Params.ProgressToken)) {
		k.fault(from, raw, errors.New("progress of no open request: it must stop before the answer"))
	}
	if k.w.schemas == nil {
		return
	}
	if err := k.w.schemas.Call(rev, e.Method, raw); err != nil {
		k.fault(from, raw, err)
	}
}

func (k *talk) wantsProgress(asker Side, token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, a := range k.asked {
		if a.token == token && strings.HasPrefix(key, string(asker)) {
			return true
		}
	}
	return false
}

func (k *talk) response(from Side, e envelope, raw []byte) {
	key := string(from.other()) + string(e.ID)
	k.mu.Lock()
	a, ok := k.asked[key]
	delete(k.asked, key)
	k.mu.Unlock()
	if !ok && e.Error != nil && (e.ID == nil || string(e.ID) == "null") {
		k.keep(Message{From: from, Raw: string(raw), Response: true}) // what it answers could not be read
		return
	}
	if !ok {
		k.fault(from, raw, errors.New("a response to no open request"))
		return
	}
	if a.method == "initialize" && e.Result != nil {
		a.revision = k.negotiated(e.Result, a.revision)
	}
	k.keep(Message{From: from, Revision: a.revision, Method: a.method, Raw: string(raw), Response: true})
	if k.w.schemas == nil {
		return
	}
	if err := k.w.schemas.Answer(a.revision, a.method, raw); err != nil {
		k.fault(from, raw, err)
	}
}

// revisionOf is the revision that a request or notification belongs to.
func (k *talk) revisionOf(e envelope) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := e.Params.Meta.Version; v != "" {
		k.revision = v // what the server says of its own accord on this line is of this revision, too
		return v
	}
	if e.Method == "initialize" {
		k.revision = "2025-11-25" // the shape in which versions are negotiated
		if v := e.Params.ProtocolVersion; v < k.revision {
			k.revision = v
		}
	}
	return k.revision
}

func (k *talk) negotiated(result []byte, fallback string) string {
	var r struct{ ProtocolVersion string }
	if json.Unmarshal(result, &r) != nil || r.ProtocolVersion == "" {
		return fallback
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revision = r.ProtocolVersion
	return k.revision
}

func (k *talk) keep(m Message) {
	m.Line, m.Time = k.line, time.Now()
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	k.w.messages = append(k.w.messages, m)
}

func (k *talk) fault(from Side, raw []byte, err error) {
	k.w.mu.Lock()
	defer k.w.mu.Unlock()
	const most = 400
	text := string(raw)
	if len(text) > most {
		text = text[:most] + "..."
	}
	k.w.faults = append(k.w.faults, fmt.Sprintf("%s, from the %s: %v\n\t%s", k.line, from, err, text))
}
