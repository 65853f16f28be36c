package interop

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// goSDK is the client of github.com/modelcontextprotocol/go-sdk.
type goSDK struct {
	tally
	s     *mcp.ClientSession
	calls int
}

func connectGoSDK(t *testing.T, to target, k kind) peer {
	t.Helper()
	p := &goSDK{}
	c := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1.8.0"}, p.options())
	c.AddReceivingMiddleware(p.watch)
	c.AddRoots(&mcp.Root{URI: "file:///home/ada", Name: "home"})
	web := &http.Client{Transport: bearer{to.key}}
	var transport mcp.Transport
	switch k.transport {
	case "http":
		transport = &mcp.StreamableClientTransport{Endpoint: to.url, HTTPClient: web}
	case "sse":
		transport = &mcp.SSEClientTransport{Endpoint: to.url, HTTPClient: web}
	case "stdio":
		transport = &mcp.CommandTransport{Command: exec.Command(to.command[0], to.command[1:]...)}
	}
	o := &mcp.ClientSessionOptions{}
	if !k.modern {
		o.ProtocolVersion = "2025-11-25"
	}
	s, err := c.Connect(t.Context(), transport, o)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	p.s = s
	if tools := s.InitializeResult().Capabilities.Tools; k.modern && tools != nil && tools.ListChanged { // it does not wait for this itself
		eventually(t, "that the server listens", func() bool { return p.Seen()[listens] > 0 })
	}
	if !k.modern { // the modern era asks with each request
		if err := s.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "info"}); err != nil {
			t.Errorf("SetLoggingLevel: %v", err)
		}
	}
	return p
}

// bearer adds the key of an agent to each request.
type bearer struct{ key string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.key != "" {
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (p *goSDK) options() *mcp.ClientOptions {
	return &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			p.add(elicitation)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"username": "ada", "name": "ada", "interpretation": "snake"}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			p.add(sampling)
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "a poem"}}, nil
		},
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { p.add(toolsChange) },
		ResourceUpdatedHandler:      func(context.Context, *mcp.ResourceUpdatedNotificationRequest) { p.add(updated) },
		LoggingMessageHandler:       func(context.Context, *mcp.LoggingMessageRequest) { p.add(message) },
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { p.add(progress) },
	}
}

// watch counts what the SDK keeps to itself.
func (p *goSDK) watch(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
		if method == listens {
			p.add(listens)
		}
		return next(ctx, method, r)
	}
}

func (p *goSDK) Version() string { return p.s.InitializeResult().ProtocolVersion }
func (p *goSDK) Close() error    { return p.s.Close() }

func (p *goSDK) Tools(ctx context.Context) (names []string, err error) {
	for tool, err := range p.s.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		names = append(names, tool.Name)
	}
	return names, nil
}

func (p *goSDK) Call(ctx context.Context, tool string, args map[string]any) (a answer, err error) {
	params := &mcp.CallToolParams{Name: tool, Meta: mcp.Meta{}}
	if args != nil {
		params.Arguments = args
	}
	p.calls++
	params.SetProgressToken(fmt.Sprintf("token-%d", p.calls))
	if p.Version() >= "2026" {
		params.Meta[mcp.MetaKeyLogLevel] = "info"
	}
	res, err := p.s.CallTool(ctx, params)
	if err != nil {
		return a, err
	}
	a.IsError = res.IsError
	for _, c := range res.Content {
		a.Kinds = append(a.Kinds, strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", c), "*mcp."), "Content")))
		if text, ok := c.(*mcp.TextContent); ok {
			a.Text += text.Text
		}
	}
	return a, nil
}

func (p *goSDK) Resources(ctx context.Context) (uris []string, err error) {
	for r, err := range p.s.Resources(ctx, nil) {
		if err != nil {
			return nil, err
		}
		uris = append(uris, r.URI)
	}
	return uris, nil
}

func (p *goSDK) Templates(ctx context.Context) (uris []string, err error) {
	for r, err := range p.s.ResourceTemplates(ctx, nil) {
		if err != nil {
			return nil, err
		}
		uris = append(uris, r.URITemplate)
	}
	return uris, nil
}

func (p *goSDK) Read(ctx context.Context, uri string) (string, error) {
	res, err := p.s.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	if err != nil {
		return "", err
	}
	return res.Contents[0].Text, nil
}

func (p *goSDK) Prompts(ctx context.Context) (names []string, err error) {
	for r, err := range p.s.Prompts(ctx, nil) {
		if err != nil {
			return nil, err
		}
		names = append(names, r.Name)
	}
	return names, nil
}

func (p *goSDK) Prompt(ctx context.Context, name string, args map[string]string) (string, error) {
	res, err := p.s.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: args})
	if err != nil {
		return "", err
	}
	text, _ := res.Messages[0].Content.(*mcp.TextContent)
	if text == nil {
		return "", fmt.Errorf("the prompt %s starts with no text", name)
	}
	return text.Text, nil
}

func (p *goSDK) Complete(ctx context.Context, prompt, argument, value string) ([]string, error) {
	res, err := p.s.Complete(ctx, &mcp.CompleteParams{
		Ref:      &mcp.CompleteReference{Type: "ref/prompt", Name: prompt},
		Argument: mcp.CompleteParamsArgument{Name: argument, Value: value},
	})
	if err != nil {
		return nil, err
	}
	return res.Completion.Values, nil
}

func (p *goSDK) Subscribe(ctx context.Context, uri string) error {
	return p.s.Subscribe(ctx, &mcp.SubscribeParams{URI: uri})
}
