package interop

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// names turns an upstream's own name into the one that agents use.
type names func(string) string

func bare(name string) string { return name }

// everything tells what one server of all features can do to one client, of
// the same era directly, of any through the gateway. modern is the server's era.
func everything(t *testing.T, p peer, k kind, modern bool, name names) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if p.Version() >= "2026" != k.modern {
		t.Fatalf("the peers speak %s", p.Version())
	}
	t.Run("lists", func(t *testing.T) { lists(ctx, t, p, name) })
	t.Run("calls", func(t *testing.T) { calls(ctx, t, p, name) })
	t.Run("resources", func(t *testing.T) { resources(ctx, t, p) })
	t.Run("prompts", func(t *testing.T) { prompts(ctx, t, p, name) })
	t.Run("progress", func(t *testing.T) { progresses(ctx, t, p, name) })
	t.Run("logging", func(t *testing.T) { logs(ctx, t, p, name) })
	if k.answers() {
		t.Run("questions", func(t *testing.T) { questions(ctx, t, p, modern, name) })
	}
	t.Run("updates", func(t *testing.T) { updates(ctx, t, p) })
}

func lists(ctx context.Context, t *testing.T, p peer, name names) {
	tools, err := p.Tools(ctx)
	if err != nil {
		t.Fatalf("Tools: %v", err)
	}
	holds(t, "tools", tools, name("test_simple_text"), name("test_x_mcp_header"), name("json_schema_2020_12_tool"))
	uris, err := p.Resources(ctx)
	if err != nil {
		t.Fatalf("Resources: %v", err)
	}
	holds(t, "resources", uris, "test://static-text", "test://watched-resource")
	templates, err := p.Templates(ctx)
	if err != nil {
		t.Fatalf("Templates: %v", err)
	}
	holds(t, "templates", templates, "test://template/{id}/data")
	prompts, err := p.Prompts(ctx)
	if err != nil {
		t.Fatalf("Prompts: %v", err)
	}
	holds(t, "prompts", prompts, name("test_simple_prompt"), name("test_prompt_with_arguments"))
}

func holds(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("the %s are %v, want %s among them", what, got, w)
		}
	}
}

func calls(ctx context.Context, t *testing.T, p peer, name names) {
	a, err := p.Call(ctx, name("test_simple_text"), nil)
	if err != nil || a.IsError || !strings.Contains(a.Text, "simple text") {
		t.Errorf("test_simple_text = %+v, %v", a, err)
	}
	a, err = p.Call(ctx, name("test_multiple_content_types"), nil)
	if err != nil || !slices.Equal(a.Kinds, []string{"text", "image", "embeddedresource"}) {
		t.Errorf("test_multiple_content_types = %+v, %v", a, err)
	}
	a, err = p.Call(ctx, name("test_error_handling"), nil)
	if err != nil || !a.IsError {
		t.Errorf("test_error_handling = %+v, %v, want a result with isError", a, err)
	}
	if a, err = p.Call(ctx, name("test_not_there"), nil); err == nil && !a.IsError {
		t.Errorf("an unknown tool = %+v", a)
	}
	a, err = p.Call(ctx, name("test_x_mcp_header"), map[string]any{"region": "Zürich"}) // travels as a header, too
	if err != nil {
		t.Errorf("test_x_mcp_header = %+v, %v", a, err)
	}
}

func resources(ctx context.Context, t *testing.T, p peer) {
	text, err := p.Read(ctx, "test://static-text")
	if err != nil || text == "" {
		t.Errorf("Read(static-text) = %q, %v", text, err)
	}
	text, err = p.Read(ctx, "test://template/42/data")
	if err != nil || !strings.Contains(text, "42") {
		t.Errorf("Read(template) = %q, %v", text, err)
	}
	if text, err = p.Read(ctx, "test://not-there"); err == nil {
		t.Errorf("Read(not-there) = %q, want an error", text)
	}
}

func prompts(ctx context.Context, t *testing.T, p peer, name names) {
	text, err := p.Prompt(ctx, name("test_prompt_with_arguments"), map[string]string{"arg1": "eins", "arg2": "zwei"})
	if err != nil || !strings.Contains(text, "arg1='eins', arg2='zwei'") {
		t.Errorf("Prompt = %q, %v", text, err)
	}
	if _, err := p.Complete(ctx, name("test_prompt_with_arguments"), "arg1", "e"); err != nil {
		t.Errorf("Complete: %v", err)
	}
}

func progresses(ctx context.Context, t *testing.T, p peer, name names) {
	before := p.Seen()[progress]
	work := func() {
		if a, err := p.Call(ctx, name("test_tool_with_progress"), nil); err != nil || a.IsError {
			t.Errorf("test_tool_with_progress = %+v, %v", a, err)
		}
	}
	if _, ok := p.(*node); ok { // the TypeScript clients lose reports that come in one piece with the answer
		for range 5 {
			if work(); p.Seen()[progress] > before {
				return
			}
		}
		t.Error("no report of progress in five calls")
		return
	}
	work()
	eventually(t, "three reports of progress", func() bool { return p.Seen()[progress]-before == 3 })
}

func logs(ctx context.Context, t *testing.T, p peer, name names) {
	before := p.Seen()[message]
	if a, err := p.Call(ctx, name("test_tool_with_logging"), nil); err != nil || a.IsError {
		t.Errorf("test_tool_with_logging = %+v, %v", a, err)
	}
	eventually(t, "three log messages", func() bool { return p.Seen()[message]-before == 3 })
}

// questions are what a server asks of the client while it serves a call.
func questions(ctx context.Context, t *testing.T, p peer, modern bool, name names) {
	type question struct {
		tool string
		args map[string]any
		want string
	}
	asked := []question{
		{"test_elicitation", map[string]any{"message": "Who?"}, "ada"},
		{"test_sampling", map[string]any{"prompt": "Write."}, "a poem"},
	}
	if modern {
		asked = []question{
			{"test_input_required_result_elicitation", nil, "Hello, ada!"},
			{"test_input_required_result_sampling", nil, "a poem"},
			{"test_input_required_result_list_roots", nil, "file:///home/ada"},
		}
	}
	for _, q := range asked {
		a, err := p.Call(ctx, name(q.tool), q.args)
		if err != nil || a.IsError || !strings.Contains(a.Text, q.want) {
			t.Errorf("%s = %+v, %v, want %q", q.tool, a, err, q.want)
		}
	}
}

// growth is told of a server whose list of tools grows: the client hears of it
// and can call what is new.
func growth(t *testing.T, p peer, k kind, name names) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	before, leaf := p.Seen()[toolsChange], k.agent()+"-leaf"
	if a, err := p.Call(ctx, name("grow"), map[string]any{"leaf": leaf}); err != nil || a.IsError {
		t.Fatalf("grow = %+v, %v", a, err)
	}
	eventually(t, "a change of the list of tools", func() bool { return p.Seen()[toolsChange] > before })
	// The change that was heard of may have been another client's.
	eventually(t, "the new tool in the list", func() bool {
		tools, err := p.Tools(ctx)
		return err == nil && slices.Contains(tools, name(leaf))
	})
	if a, err := p.Call(ctx, name(leaf), nil); err != nil || !strings.Contains(a.Text, leaf) {
		t.Errorf("%s = %+v, %v", leaf, a, err)
	}
}

func updates(ctx context.Context, t *testing.T, p peer) {
	before := p.Seen()[updated]
	if err := p.Subscribe(ctx, "test://watched-resource"); err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	eventually(t, "an update of the watched resource", func() bool { return p.Seen()[updated] > before })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s did not happen within a minute", what)
			return
		}
	}
}
