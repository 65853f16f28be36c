package interop

import (
	"context"
	"fmt"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// mcpGo is the client of github.com/mark3labs/mcp-go.
type mcpGo struct {
	tally
	c     *client.Client
	calls int
}

func connectMCPGo(t *testing.T, to target, k kind) peer {
	t.Helper()
	p := &mcpGo{}
	options := []client.ClientOption{
		client.WithElicitationHandler(p), client.WithSamplingHandler(p), client.WithRootsHandler(p),
	}
	if !k.modern {
		options = append(options, client.WithProtocolVersion("2025-11-25"))
	}
	p.c = client.NewClient(mcpGoTransport(t, to, k), options...)
	p.c.OnNotification(func(n mcp.JSONRPCNotification) { p.add(n.Method) })
	if err := p.c.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if _, err := p.c.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{
		ClientInfo: mcp.Implementation{Name: "mcp-go", Version: "1.2.1"},
	}}); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	p.listen(t, k)
	return p
}

func mcpGoTransport(t *testing.T, to target, k kind) transport.Interface {
	t.Helper()
	headers := map[string]string{}
	if to.key != "" {
		headers["Authorization"] = "Bearer " + to.key
	}
	switch k.transport {
	case "http":
		options := []transport.StreamableHTTPCOption{transport.WithHTTPHeaders(headers)}
		if !k.modern {
			options = append(options, transport.WithContinuousListening())
		}
		tr, err := transport.NewStreamableHTTP(to.url, options...)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	case "sse":
		tr, err := transport.NewSSE(to.url, transport.WithHeaders(headers))
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	return transport.NewStdio(to.command[0], nil, to.command[1:]...)
}

// listen asks for what the era does not send unasked.
func (p *mcpGo) listen(t *testing.T, k kind) {
	t.Helper()
	if !k.modern {
		if err := p.c.SetLevel(t.Context(), mcp.SetLevelRequest{Params: mcp.SetLevelParams{Level: "info"}}); err != nil {
			t.Errorf("SetLevel: %v", err)
		}
		return
	}
	stop, err := p.c.ListenAsync(t.Context(), mcp.SubscriptionFilter{ToolsListChanged: true}, nil)
	if err != nil {
		t.Errorf("ListenAsync: %v", err)
		return
	}
	t.Cleanup(stop)
	eventually(t, "that the server listens", func() bool { return p.Seen()[listens] > 0 })
}

// Elicit accepts.
func (p *mcpGo) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.add(elicitation)
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{
		Action: mcp.ElicitationResponseActionAccept, Content: map[string]any{"username": "ada", "name": "ada", "interpretation": "snake"},
	}}, nil
}

// CreateMessage writes a poem.
func (p *mcpGo) CreateMessage(context.Context, mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	p.add(sampling)
	return &mcp.CreateMessageResult{Model: "m", SamplingMessage: mcp.SamplingMessage{
		Role: mcp.RoleAssistant, Content: mcp.NewTextContent("a poem"),
	}}, nil
}

// ListRoots has one root.
func (p *mcpGo) ListRoots(context.Context, mcp.ListRootsRequest) (*mcp.ListRootsResult, error) {
	p.add(roots)
	return &mcp.ListRootsResult{Roots: []mcp.Root{{URI: "file:///home/ada", Name: "home"}}}, nil
}

func (p *mcpGo) Version() string { return p.c.ProtocolVersion() }
func (p *mcpGo) Close() error    { return p.c.Close() }

func (p *mcpGo) Tools(ctx context.Context) (names []string, err error) {
	for tool, err := range p.c.IterTools(ctx, mcp.ListToolsRequest{}) {
		if err != nil {
			return nil, err
		}
		names = append(names, tool.Name)
	}
	return names, nil
}

func (p *mcpGo) Call(ctx context.Context, tool string, args map[string]any) (a answer, err error) {
	p.calls++
	meta := &mcp.Meta{ProgressToken: fmt.Sprintf("token-%d", p.calls)}
	if p.Version() >= "2026" {
		meta.SetLogLevel("info")
	}
	params := mcp.CallToolParams{Name: tool, Meta: meta}
	if args != nil {
		params.Arguments = args
	}
	res, err := p.c.CallTool(ctx, mcp.CallToolRequest{Params: params})
	if err != nil {
		return a, err
	}
	a.IsError = res.IsError
	for _, c := range res.Content {
		switch block := c.(type) {
		case mcp.TextContent:
			a.Kinds = append(a.Kinds, "text")
			a.Text += block.Text
		case mcp.ImageContent:
			a.Kinds = append(a.Kinds, "image")
		case mcp.EmbeddedResource:
			a.Kinds = append(a.Kinds, "embeddedresource")
		default:
			a.Kinds = append(a.Kinds, fmt.Sprintf("%T", c))
		}
	}
	return a, nil
}

func (p *mcpGo) Resources(ctx context.Context) (uris []string, err error) {
	for r, err := range p.c.IterResources(ctx, mcp.ListResourcesRequest{}) {
		if err != nil {
			return nil, err
		}
		uris = append(uris, r.URI)
	}
	return uris, nil
}

func (p *mcpGo) Templates(ctx context.Context) (uris []string, err error) {
	for r, err := range p.c.IterResourceTemplates(ctx, mcp.ListResourceTemplatesRequest{}) {
		if err != nil {
			return nil, err
		}
		uris = append(uris, r.URITemplate.Raw())
	}
	return uris, nil
}

func (p *mcpGo) Read(ctx context.Context, uri string) (string, error) {
	res, err := p.c.ReadResource(ctx, mcp.ReadResourceRequest{Params: mcp.ReadResourceParams{URI: uri}})
	if err != nil {
		return "", err
	}
	text, ok := res.Contents[0].(mcp.TextResourceContents)
	if !ok {
		return "", fmt.Errorf("%s is no text but %T", uri, res.Contents[0])
	}
	return text.Text, nil
}

func (p *mcpGo) Prompts(ctx context.Context) (names []string, err error) {
	for r, err := range p.c.IterPrompts(ctx, mcp.ListPromptsRequest{}) {
		if err != nil {
			return nil, err
		}
		names = append(names, r.Name)
	}
	return names, nil
}

func (p *mcpGo) Prompt(ctx context.Context, name string, args map[string]string) (string, error) {
	res, err := p.c.GetPrompt(ctx, mcp.GetPromptRequest{Params: mcp.GetPromptParams{Name: name, Arguments: args}})
	if err != nil {
		return "", err
	}
	return mcp.GetTextFromContent(res.Messages[0].Content), nil
}

func (p *mcpGo) Complete(ctx context.Context, prompt, argument, value string) ([]string, error) {
	res, err := p.c.Complete(ctx, mcp.CompleteRequest{Params: mcp.CompleteParams{
		Ref:      mcp.PromptReference{Type: "ref/prompt", Name: prompt},
		Argument: mcp.CompleteArgument{Name: argument, Value: value},
	}})
	if err != nil {
		return nil, err
	}
	return res.Completion.Values, nil
}

// Subscribe opens one more stream in the modern era, where it takes the place of the first.
func (p *mcpGo) Subscribe(ctx context.Context, uri string) error {
	if p.Version() >= "2026" {
		_, err := p.c.ListenAsync(context.WithoutCancel(ctx), mcp.SubscriptionFilter{ToolsListChanged: true, ResourceSubscriptions: []string{uri}}, nil)
		return err
	}
	return p.c.Subscribe(ctx, mcp.SubscribeRequest{Params: mcp.SubscribeParams{URI: uri}})
}
