package example

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// service is the state that the tools share.
type service struct {
	book *notebook
	now  func() time.Time
	srv  *mcp.Server

	secret [32]byte // of this process: binds answers to its questions
}

func (v *service) addTools() {
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "notes_search", Title: "Search notes",
		Description: "Finds notes that contain every word of the query. An empty query lists all notes.",
		InputSchema: schema(searchInput), OutputSchema: schema(searchOutput), Annotations: readOnly(),
	}, v.search)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "notes_read", Title: "Read a note", Description: "Returns one note by its id.",
		InputSchema: schema(idInput), OutputSchema: schema(noteOutput), Annotations: readOnly(),
	}, v.read)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "notes_add", Title: "Add a note", Description: "Stores a new note and returns its id.",
		InputSchema: addInput(), OutputSchema: schema(noteOutput), Annotations: writes(false),
	}, v.add)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "notes_delete", Title: "Delete a note",
		Description: "Deletes one note by its id, after a person has confirmed it (elicitation).",
		InputSchema: schema(idInput), Annotations: writes(true),
	}, v.remove)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "notes_report", Title: "Report on all notes",
		Description: "Goes through the notes one by one, reporting progress and log messages, and returns totals. Takes its time on purpose.",
		InputSchema: schema(reportInput), OutputSchema: schema(reportOutput), Annotations: readOnly(),
	}, v.report)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "clock_now", Title: "Current time", Description: "Returns the current time in a time zone (IANA name; UTC if none is given).",
		InputSchema: schema(clockInput), OutputSchema: schema(clockOutput), Annotations: readOnly(),
	}, v.clock)
	mcp.AddTool(v.srv, &mcp.Tool{
		Name: "text_stats", Title: "Text statistics", Description: "Counts bytes, characters, words and lines of a text.",
		InputSchema: schema(statsInput), OutputSchema: schema(statsOutput), Annotations: readOnly(),
	}, stats)
	addBait(v.srv)
}

type searchArgs struct {
	Query string `json:"query"`
	Tag   string `json:"tag"`
	Limit int    `json:"limit"`
}

type hit struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Tags  []string `json:"tags"`
}

type searchResult struct {
	Total int   `json:"total"`
	Notes []hit `json:"notes"`
}

func (v *service) search(_ context.Context, _ *mcp.CallToolRequest, in searchArgs) (*mcp.CallToolResult, searchResult, error) {
	if in.Limit == 0 {
		in.Limit = 20
	}
	notes, total := v.book.search(in.Query, in.Tag, in.Limit)
	out := searchResult{Total: total, Notes: []hit{}}
	lines := []string{fmt.Sprintf("%d of %d notes", len(notes), total)}
	for _, n := range notes {
		out.Notes = append(out.Notes, hit{ID: n.ID, Title: n.Title, Tags: n.Tags})
		lines = append(lines, fmt.Sprintf("%s: %s [%s]", n.ID, n.Title, strings.Join(n.Tags, ", ")))
	}
	return text(strings.Join(lines, "\n")), out, nil
}

type idArgs struct {
	ID string `json:"id"`
}

func (v *service) read(_ context.Context, _ *mcp.CallToolRequest, in idArgs) (*mcp.CallToolResult, *Note, error) {
	n, err := v.book.get(in.ID)
	if err != nil {
		return nil, nil, err
	}
	return text(n.markdown()), &n, nil
}

type addArgs struct {
	Title string   `json:"title"`
	Text  string   `json:"text"`
	Tags  []string `json:"tags"`
}

func (v *service) add(ctx context.Context, _ *mcp.CallToolRequest, in addArgs) (*mcp.CallToolResult, *Note, error) {
	if in.Tags == nil {
		in.Tags = []string{}
	}
	n, err := v.book.add(in.Title, in.Text, in.Tags)
	if err != nil {
		return nil, nil, err
	}
	v.changed(ctx, n.ID)
	return text("Stored as " + n.ID), &n, nil
}

// remove asks a person first. The question is an input request, which the SDK
// turns into elicitation/create for the stateful revisions.
func (v *service) remove(ctx context.Context, req *mcp.CallToolRequest, in idArgs) (*mcp.CallToolResult, any, error) {
	n, err := v.book.get(in.ID)
	if err != nil {
		return nil, nil, err
	}
	answer, asked := req.Params.InputResponses["confirm"].(*mcp.ElicitResult)
	asked = asked && hmac.Equal([]byte(req.Params.RequestState), []byte(v.question(n)))
	switch {
	case !canElicit(req):
		return failed("notes_delete asks a person to confirm, and this client cannot be asked: it did not declare the elicitation capability."), nil, nil
	case !asked:
		return v.askConfirm(n), nil, nil
	case answer.Action != "accept" || answer.Content["confirm"] != true:
		return text("Not confirmed; nothing was deleted."), nil, nil
	}
	if n, err = v.book.remove(in.ID); err != nil {
		return nil, nil, err
	}
	v.changed(ctx, n.ID)
	return text("Deleted " + n.ID), nil, nil
}

func canElicit(req *mcp.CallToolRequest) bool {
	c := req.ClientCapabilities()
	return c != nil && c.Elicitation != nil
}

// question binds an answer to the note that was asked about, as it was then: an
// answer that comes without its question is none.
func (v *service) question(n Note) string {
	mac := hmac.New(sha256.New, v.secret[:])
	_, _ = fmt.Fprintf(mac, "%q %q %q", n.ID, n.Title, n.Text) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil))
}

func (v *service) askConfirm(n Note) *mcp.CallToolResult {
	return &mcp.CallToolResult{RequestState: v.question(n), InputRequests: mcp.InputRequestMap{"confirm": &mcp.ElicitParams{
		Mode:            "form",
		Message:         fmt.Sprintf("Delete the note %q (%s)?", n.Title, n.ID),
		RequestedSchema: schema(confirmSchema),
	}}}
}

type reportArgs struct {
	PauseMS *int `json:"pause_ms"`
}

type reportResult struct {
	Notes int            `json:"notes"`
	Words int            `json:"words"`
	Tags  map[string]int `json:"tags"`
}

func (v *service) report(ctx context.Context, req *mcp.CallToolRequest, in reportArgs) (*mcp.CallToolResult, reportResult, error) {
	pause := 200 * time.Millisecond
	if in.PauseMS != nil {
		pause = time.Duration(*in.PauseMS) * time.Millisecond
	}
	notes := v.book.all()
	out := reportResult{Notes: len(notes), Tags: map[string]int{}}
	for i, n := range notes {
		select {
		case <-ctx.Done():
			return nil, out, ctx.Err()
		case <-time.After(pause):
		}
		out.Words += len(strings.Fields(n.Text))
		for _, t := range n.Tags {
			out.Tags[t]++
		}
		tell(ctx, req, n, i+1, len(notes))
	}
	return text(fmt.Sprintf("%d notes, %d words, %d tags", out.Notes, out.Words, len(out.Tags))), out, nil
}

// tell sends progress (to who asked for it) and a log message. A client that
// cannot be reached any more does not fail the report.
func tell(ctx context.Context, req *mcp.CallToolRequest, n Note, done, total int) {
	_ = req.Session.Log(ctx, &mcp.LoggingMessageParams{
		Level: "info", Logger: "notes", Data: map[string]any{"read": n.ID, "words": len(strings.Fields(n.Text))},
	})
	if token := req.Params.GetProgressToken(); token != nil {
		_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: token, Progress: float64(done), Total: float64(total), Message: "read " + n.ID,
		})
	}
}

type clockArgs struct {
	Zone string `json:"zone"`
}

type clockResult struct {
	Time string `json:"time"`
	Zone string `json:"zone"`
	Unix int64  `json:"unix"`
}

func (v *service) clock(_ context.Context, _ *mcp.CallToolRequest, in clockArgs) (*mcp.CallToolResult, clockResult, error) {
	if in.Zone == "" {
		in.Zone = "UTC"
	}
	zone, err := time.LoadLocation(in.Zone)
	if err != nil || in.Zone == "Local" {
		return nil, clockResult{}, fmt.Errorf("unknown time zone %q; use an IANA name such as Europe/Paris", in.Zone)
	}
	now := v.now().In(zone)
	out := clockResult{Time: now.Format(time.RFC3339), Zone: in.Zone, Unix: now.Unix()}
	return text(out.Time), out, nil
}

type statsArgs struct {
	Text string `json:"text"`
}

type statsResult struct {
	Bytes      int `json:"bytes"`
	Characters int `json:"characters"`
	Words      int `json:"words"`
	Lines      int `json:"lines"`
}

func stats(_ context.Context, _ *mcp.CallToolRequest, in statsArgs) (*mcp.CallToolResult, statsResult, error) {
	out := statsResult{Bytes: len(in.Text), Characters: utf8.RuneCountInString(in.Text), Words: len(strings.Fields(in.Text))}
	if in.Text != "" {
		out.Lines = 1 + strings.Count(strings.TrimSuffix(in.Text, "\n"), "\n")
	}
	return text(fmt.Sprintf("%d bytes, %d characters, %d words, %d lines", out.Bytes, out.Characters, out.Words, out.Lines)), out, nil
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

func failed(s string) *mcp.CallToolResult {
	r := text(s)
	r.IsError = true
	return r
}

func readOnly() *mcp.ToolAnnotations {
	closed := false
	return &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: &closed}
}

func writes(destructive bool) *mcp.ToolAnnotations {
	closed := false
	return &mcp.ToolAnnotations{DestructiveHint: &destructive, OpenWorldHint: &closed}
}
