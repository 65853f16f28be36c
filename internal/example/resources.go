package example

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The resources: an index, and every note by its id.
const (
	indexURI    = "notes://index"
	noteURI     = "notes://note/"
	noteTmpl    = noteURI + "{id}"
	markdownMIM = "text/markdown"
)

func (v *service) addResources() {
	v.srv.AddResource(&mcp.Resource{
		URI: indexURI, Name: "index", Title: "Index of notes", MIMEType: markdownMIM,
		Description: "Every note with its id, title and tags.",
	}, v.readIndex)
	v.srv.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: noteTmpl, Name: "note", Title: "A note", MIMEType: markdownMIM,
		Description: "One note as Markdown; the id completes.",
	}, v.readNote)
}

func (v *service) readIndex(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	var b strings.Builder
	b.WriteString("# Notes\n\n")
	for _, n := range v.book.all() {
		fmt.Fprintf(&b, "- [%s](%s%s) %s\n", n.Title, noteURI, n.ID, strings.Join(n.Tags, ", "))
	}
	return contents(req.Params.URI, b.String()), nil
}

func (v *service) readNote(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	n, err := v.book.get(strings.TrimPrefix(req.Params.URI, noteURI))
	if err != nil {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	return contents(req.Params.URI, n.markdown()), nil
}

func contents(uri, s string) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: markdownMIM, Text: s}}}
}

// changed tells subscribers of the index and of the note. Nobody listening is no error.
func (v *service) changed(ctx context.Context, id string) {
	for _, uri := range []string{indexURI, noteURI + id} {
		_ = v.srv.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: uri})
	}
}

func (v *service) addPrompts() {
	v.srv.AddPrompt(&mcp.Prompt{
		Name: "summarise_notes", Title: "Summarise notes", Description: "Asks for a summary of the notes with a tag.",
		Arguments: []*mcp.PromptArgument{{Name: "tag", Title: "Tag", Description: "Which notes; the tag completes.", Required: true}},
	}, v.summarise)
}

func (v *service) summarise(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	tag := req.Params.Arguments["tag"]
	notes, _ := v.book.search("", tag, maxNotes)
	var b strings.Builder
	fmt.Fprintf(&b, "Summarise these %d notes about %q in five sentences.\n", len(notes), tag)
	for _, n := range notes {
		b.WriteString("\n" + n.markdown())
	}
	return &mcp.GetPromptResult{
		Description: "Summary of the notes about " + tag,
		Messages:    []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: b.String()}}},
	}, nil
}

// complete answers for the tag of the prompt and the id of the template.
func (v *service) complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	ref, arg := req.Params.Ref, req.Params.Argument
	values := []string{}
	switch {
	case ref == nil:
	case ref.Type == "ref/prompt" && ref.Name == "summarise_notes" && arg.Name == "tag":
		values = append(values, v.book.tags(arg.Value)...)
	case ref.Type == "ref/resource" && ref.URI == noteTmpl && arg.Name == "id":
		values = append(values, v.book.ids(arg.Value)...)
	}
	total := len(values)
	values = values[:min(total, 100)] // the protocol's limit
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{
		Values: values, Total: total, HasMore: total > len(values),
	}}, nil
}
