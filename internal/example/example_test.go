package example_test

import (
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"durward/internal/durwardtest"
	"durward/internal/example"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// The revisions under which every story below runs.
var revisions = []string{"2025-11-25", "2026-07-28"}

// peer is one connected client and what it heard.
type peer struct {
	*mcp.ClientSession
	progress chan string
	logs     chan string
	updated  chan string
}

type answer struct {
	action  string
	confirm bool
}

// connect serves a fresh example over pipes and connects the official client.
func connect(t *testing.T, revision string, o example.Options, elicit *answer) *peer {
	t.Helper()
	s, err := example.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, inR, outW) }()

	p := dial(t, &mcp.IOTransport{Reader: outR, Writer: inW}, revision, elicit)
	t.Cleanup(func() {
		_ = p.Close()
		cancel()
		_ = inR.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v, want nil at the end of its input", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return p
}

func dial(t *testing.T, tr mcp.Transport, revision string, elicit *answer) *peer {
	t.Helper()
	p := &peer{progress: make(chan string, 64), logs: make(chan string, 64), updated: make(chan string, 64)}
	o := &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { p.progress <- r.Params.Message },
		LoggingMessageHandler:       func(_ context.Context, r *mcp.LoggingMessageRequest) { p.logs <- r.Params.Logger },
		ResourceUpdatedHandler:      func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { p.updated <- r.Params.URI },
	}
	if elicit != nil {
		o.ElicitationHandler = func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: elicit.action, Content: map[string]any{"confirm": elicit.confirm}}, nil
		}
	}
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, o).
		Connect(t.Context(), tr, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatalf("connect with %s: %v", revision, err)
	}
	if got := cs.InitializeResult().ProtocolVersion; got != revision {
		t.Fatalf("negotiated %s, want %s", got, revision)
	}
	p.ClientSession = cs
	return p
}

func (p *peer) call(t *testing.T, tool string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	if args == nil {
		args = map[string]any{}
	}
	r, err := p.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	return r
}

func textOf(r *mcp.CallToolResult) string {
	var b strings.Builder
	for _, c := range r.Content {
		if x, ok := c.(*mcp.TextContent); ok {
			b.WriteString(x.Text)
		}
	}
	return b.String()
}

func eachRevision(t *testing.T, story func(t *testing.T, revision string)) {
	for _, v := range revisions {
		t.Run(v, func(t *testing.T) { story(t, v) })
	}
}

func TestToolsTellWhatTheyDo(t *testing.T) {
	eachRevision(t, func(t *testing.T, v string) {
		p := connect(t, v, example.Options{}, nil)
		r, err := p.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{ // name: readOnlyHint
			"notes_search": true, "notes_read": true, "notes_add": false, "notes_delete": false,
			"notes_report": true, "clock_now": true, "text_stats": true, example.Bait: true,
		}
		if len(r.Tools) != len(want) {
			t.Errorf("%d tools, want %d", len(r.Tools), len(want))
		}
		for _, tool := range r.Tools {
			if tool.Annotations == nil || tool.Annotations.ReadOnlyHint != want[tool.Name] {
				t.Errorf("%s: annotations %+v, want readOnlyHint %v", tool.Name, tool.Annotations, want[tool.Name])
			}
		}
	})
}

func TestReadingAndWritingNotes(t *testing.T) {
	eachRevision(t, func(t *testing.T, v string) {
		p := connect(t, v, example.Options{}, nil)
		added := p.call(t, "notes_add", map[string]any{"title": "Groceries & more", "text": "bread", "tags": []string{"home"}})
		if got := textOf(added); got != "Stored as groceries-more" {
			t.Fatalf("notes_add = %q", got)
		}
		found := p.call(t, "notes_search", map[string]any{"query": "BREAD", "tag": "home"})
		if total := found.StructuredContent.(map[string]any)["total"]; total != float64(1) {
			t.Errorf("notes_search total = %v, want 1", total)
		}
		read := p.call(t, "notes_read", map[string]any{"id": "groceries-more"})
		if got := textOf(read); got != "# Groceries & more\n\nTags: home\n\nbread\n" {
			t.Errorf("notes_read = %q", got)
		}
		if gone := p.call(t, "notes_read", map[string]any{"id": "nope"}); !gone.IsError {
			t.Error("reading an unknown note is not an error")
		}
	})
}

func TestArgumentsAreBounded(t *testing.T) {
	p := connect(t, "2025-11-25", example.Options{}, nil)
	for name, args := range map[string]map[string]any{
		"a title with a line break": {"title": "a\nb", "text": ""},
		"a text over the limit":     {"title": "a", "text": strings.Repeat("x", 9<<10)},
		"an unknown argument":       {"title": "a", "text": "b", "colour": "red"},
		"no title":                  {"text": "b"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := p.CallTool(t.Context(), &mcp.CallToolParams{Name: "notes_add", Arguments: args})
			if err == nil && !r.IsError {
				t.Errorf("notes_add(%v) was accepted", args)
			}
		})
	}
}

func TestArgumentsThatAreNull(t *testing.T) {
	p := connect(t, "2025-11-25", example.Options{}, nil)
	var null map[string]any
	for _, tool := range []string{"notes_search", "notes_report", "clock_now", example.Bait} {
		_, _ = p.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: null}) // an answer or an error, not a crash
	}
	if p.call(t, "notes_read", map[string]any{"id": "keys"}).IsError {
		t.Error("the server does not answer any more")
	}
}

func TestTheNotebookIsBounded(t *testing.T) {
	p := connect(t, "2026-07-28", example.Options{}, nil)
	for range 600 {
		if p.call(t, "notes_add", map[string]any{"title": "n", "text": "t"}).IsError {
			return
		}
	}
	t.Error("600 notes were accepted")
}

func TestDeletingAsksAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		elicit *answer
		want   string
		gone   bool
	}{
		"confirmed":                     {&answer{"accept", true}, "Deleted keys", true},
		"accepted without the tick":     {&answer{"accept", false}, "Not confirmed; nothing was deleted.", false},
		"declined":                      {&answer{"decline", true}, "Not confirmed; nothing was deleted.", false},
		"a client that cannot be asked": {nil, "notes_delete asks a person to confirm, and this client cannot be asked: it did not declare the elicitation capability.", false},
	} {
		t.Run(name, func(t *testing.T) {
			eachRevision(t, func(t *testing.T, v string) {
				p := connect(t, v, example.Options{}, c.elicit)
				if got := textOf(p.call(t, "notes_delete", map[string]any{"id": "keys"})); got != c.want {
					t.Errorf("notes_delete = %q, want %q", got, c.want)
				}
				if gone := p.call(t, "notes_read", map[string]any{"id": "keys"}).IsError; gone != c.gone {
					t.Errorf("note gone = %v, want %v", gone, c.gone)
				}
			})
		})
	}
}

// TestAnAnswerWithoutItsQuestionDeletesNothing: a model can write an answer as
// well as a person.
func TestAnAnswerWithoutItsQuestionDeletesNothing(t *testing.T) {
	for _, state := range []string{"", strings.Repeat("0", 64)} {
		p := connect(t, "2026-07-28", example.Options{}, &answer{"decline", false})
		r, err := p.CallTool(t.Context(), &mcp.CallToolParams{
			Name: "notes_delete", Arguments: map[string]any{"id": "keys"}, RequestState: state,
			InputResponses: mcp.InputResponseMap{"confirm": &mcp.ElicitResult{Action: "accept", Content: map[string]any{"confirm": true}}},
		})
		if err != nil || textOf(r) != "Not confirmed; nothing was deleted." {
			t.Errorf("state %q: notes_delete = %q, %v; want the person to be asked, who declines", state, textOf(r), err)
		}
		if p.call(t, "notes_read", map[string]any{"id": "keys"}).IsError {
			t.Errorf("state %q: the note is gone", state)
		}
	}
}

func TestReportTellsHowFarItIs(t *testing.T) {
	eachRevision(t, func(t *testing.T, v string) {
		p := connect(t, v, example.Options{}, nil)
		params := &mcp.CallToolParams{Name: "notes_report", Arguments: map[string]any{"pause_ms": 0}}
		if v == "2025-11-25" {
			if err := p.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "info"}); err != nil {
				t.Fatal(err)
			}
		} else {
			params.Meta = mcp.Meta{"io.modelcontextprotocol/logLevel": "info"}
		}
		params.SetProgressToken("p1")
		r, err := p.CallTool(t.Context(), params)
		if err != nil || r.IsError {
			t.Fatalf("notes_report = %v, %v", r, err)
		}
		if got := <-p.progress; got != "read bait" {
			t.Errorf("first progress = %q, want the first note", got)
		}
		if got := <-p.logs; got != "notes" {
			t.Errorf("logger = %q, want notes", got)
		}
	})
}

func TestReportStopsWhenCancelled(t *testing.T) {
	p := connect(t, "2026-07-28", example.Options{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.CallTool(ctx, &mcp.CallToolParams{Name: "notes_report", Arguments: map[string]any{"pause_ms": 2000}}); err == nil {
		t.Error("a cancelled report answered")
	}
}

func TestResourcesPromptAndCompletion(t *testing.T) {
	eachRevision(t, func(t *testing.T, v string) {
		p := connect(t, v, example.Options{}, nil)
		ctx := t.Context()
		index, err := p.ReadResource(ctx, &mcp.ReadResourceParams{URI: "notes://index"})
		if err != nil || !strings.Contains(index.Contents[0].Text, "(notes://note/welcome)") {
			t.Fatalf("index = %+v, %v; want a link to each note", index, err)
		}
		note, err := p.ReadResource(ctx, &mcp.ReadResourceParams{URI: "notes://note/roles"})
		if err != nil || !strings.HasPrefix(note.Contents[0].Text, "# Roles\n") {
			t.Errorf("note = %+v, %v", note, err)
		}
		if _, err := p.ReadResource(ctx, &mcp.ReadResourceParams{URI: "notes://note/nope"}); err == nil {
			t.Error("an unknown note was read")
		}
		prompt, err := p.GetPrompt(ctx, &mcp.GetPromptParams{Name: "summarise_notes", Arguments: map[string]string{"tag": "threats"}})
		if err != nil || len(prompt.Messages) != 1 {
			t.Errorf("prompt = %+v, %v", prompt, err)
		}
		for _, c := range []struct {
			ref  mcp.CompleteReference
			arg  mcp.CompleteParamsArgument
			want string
		}{
			{mcp.CompleteReference{Type: "ref/prompt", Name: "summarise_notes"}, mcp.CompleteParamsArgument{Name: "tag", Value: "r"}, "record rules"},
			{mcp.CompleteReference{Type: "ref/resource", URI: "notes://note/{id}"}, mcp.CompleteParamsArgument{Name: "id", Value: "w"}, "welcome"},
			{mcp.CompleteReference{Type: "ref/prompt", Name: "other"}, mcp.CompleteParamsArgument{Name: "tag", Value: ""}, ""},
		} {
			got, err := p.Complete(ctx, &mcp.CompleteParams{Ref: &c.ref, Argument: c.arg})
			if err != nil || strings.Join(got.Completion.Values, " ") != c.want {
				t.Errorf("complete %+v = %+v, %v; want %q", c.ref, got, err, c.want)
			}
		}
	})
}

func TestSubscribersHearOfNewNotes(t *testing.T) {
	p := connect(t, "2025-11-25", example.Options{}, nil)
	if err := p.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "notes://index"}); err != nil {
		t.Fatal(err)
	}
	p.call(t, "notes_add", map[string]any{"title": "New", "text": "t"})
	if got := <-p.updated; got != "notes://index" {
		t.Errorf("updated %q, want notes://index", got)
	}
}

func TestClockAndStats(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := connect(t, "2026-07-28", example.Options{Now: func() time.Time { return at }}, nil)
	if got := textOf(p.call(t, "clock_now", nil)); got != "2026-11-22T12:00:00Z" {
		t.Errorf("clock_now = %q", got)
	}
	for _, zone := range []string{"Local", "../etc/passwd", "Nowhere/City"} {
		if !p.call(t, "clock_now", map[string]any{"zone": zone}).IsError {
			t.Errorf("zone %q was accepted", zone)
		}
	}
	if got := textOf(p.call(t, "text_stats", map[string]any{"text": "één\ntwee drie\n"})); got != "16 bytes, 14 characters, 3 words, 2 lines" {
		t.Errorf("text_stats = %q", got)
	}
}

func TestBaitKeepsNothing(t *testing.T) {
	p := connect(t, "2025-11-25", example.Options{}, nil)
	got := textOf(p.call(t, example.Bait, map[string]any{"mood": "secret"}))
	if !strings.Contains(got, "6 bytes") || strings.Contains(got, "secret") {
		t.Errorf("%s = %q; want the size of what was given, never the text", example.Bait, got)
	}
}

func TestNotesInAFolderOutliveTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notes")
	first := connect(t, "2025-11-25", example.Options{Dir: dir}, nil)
	first.call(t, "notes_add", map[string]any{"title": "Kept", "text": "line one\nline two", "tags": []string{"a", "b"}})
	raw, err := os.ReadFile(filepath.Join(dir, "kept.md"))
	if err != nil || string(raw) != "# Kept\n\nTags: a, b\n\nline one\nline two\n" {
		t.Fatalf("file = %q, %v", raw, err)
	}
	second := connect(t, "2025-11-25", example.Options{Dir: dir}, &answer{"accept", true})
	if got := textOf(second.call(t, "notes_read", map[string]any{"id": "kept"})); got != string(raw) {
		t.Errorf("after a restart notes_read = %q, want %q", got, raw)
	}
	second.call(t, "notes_delete", map[string]any{"id": "kept"})
	if _, err := os.Stat(filepath.Join(dir, "kept.md")); !os.IsNotExist(err) {
		t.Errorf("file after delete: %v, want it gone", err)
	}
}

func TestFolderWithForeignFiles(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside.md")
	for name, body := range map[string]string{
		filepath.Join(dir, "plain.md"):   "only text",
		filepath.Join(dir, "Capital.md"): "not an id",
		filepath.Join(dir, "big.md"):     strings.Repeat("x", 1<<20),
		outside:                          "not ours",
	} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.md")); err != nil {
		t.Fatal(err)
	}
	p := connect(t, "2026-07-28", example.Options{Dir: dir}, nil)
	got := textOf(p.call(t, "notes_search", nil))
	if want := "2 of 2 notes\nbig: big []\nplain: plain []"; got != want {
		t.Errorf("notes_search = %q, want %q", got, want)
	}
}

func TestHTTPServesEveryRevisionOnOnePath(t *testing.T) {
	s, err := example.New(example.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	for _, v := range append([]string{"2025-03-26", "2025-06-18"}, revisions...) {
		t.Run(v, func(t *testing.T) {
			p := dial(t, &mcp.StreamableClientTransport{Endpoint: web.URL, HTTPClient: web.Client()}, v, &answer{"accept", false})
			if got := textOf(p.call(t, "notes_delete", map[string]any{"id": "keys"})); got != "Not confirmed; nothing was deleted." {
				t.Errorf("notes_delete = %q", got)
			}
			_ = p.Close()
		})
	}
}
