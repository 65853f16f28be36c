package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
)

const maxRounds = 10 // of questions in one call

// agentFlags say as whom, and where, a verb calls.
type agentFlags struct{ agent, key, url string }

func (f *agentFlags) add(c *cobra.Command, a *app) {
	c.Flags().StringVar(&f.agent, "agent", "", "agent to call as; its key file lies in the data folder")
	c.Flags().StringVar(&f.key, "key", "", "key to call with (default $DURWARD_KEY)")
	c.Flags().StringVar(&f.url, "url", "", "endpoint (default: the gateway that runs on the data folder)")
	_ = c.RegisterFlagCompletionFunc("agent", a.completeAgents) // the flag is there, two lines up
}

func callCommand(a *app) *cobra.Command {
	var (
		f       agentFlags
		whole   string
		timeout time.Duration
		verbose bool
		once    string
	)
	c := &cobra.Command{
		Use:   "call TOOL [name=value ...]",
		Short: "Call a tool through the gateway, as an agent",
		Long: "Calls a tool through the gateway, as an agent would.\n\n" +
			"Values are read as the tool's schema says: numbers, true and false, JSON for objects, \"a,b\" for lists,\n" +
			"and text for everything else. What a server asks on the way is put to you when this is a terminal.",
		Example: "  durward call example__notes_search query=keys\n" +
			"  durward call example__notes_add --json '{\"title\": \"Hello\", \"text\": \"From the CLI\"}'",
		GroupID:           groupUse,
		Args:              args(1, -1),
		ValidArgsFunction: a.completeTools(&f),
		RunE: func(c *cobra.Command, words []string) error {
			ctx := c.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			return a.call(ctx, f, callSpec{tool: words[0], words: words[1:], whole: whole, verbose: verbose, once: once})
		},
	}
	f.add(c, a)
	c.Flags().StringVar(&whole, "json", "", "arguments as a JSON object; @FILE reads a file, - the input")
	c.Flags().StringVar(&once, "once", "", "idempotency key: a call with the same key gets the first result and is not made again")
	c.Flags().DurationVar(&timeout, "timeout", 0, "give up after this time (default: the gateway's)")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show log messages of the tool")
	return c
}

// callSpec is what to call.
type callSpec struct {
	tool    string
	words   []string
	whole   string
	verbose bool
	once    string
}

func (a *app) call(ctx context.Context, f agentFlags, s callSpec) error {
	c, err := a.agentClient(ctx, f)
	if err != nil {
		return err
	}
	if a.canAsk() {
		c.caps = form()
	}
	began := time.Now()
	known, near := a.definition(ctx, c, s.tool)
	in := readSchema(known.InputSchema)
	arguments, err := a.readArguments(in, s.whole, s.words)
	if err != nil {
		return err
	}
	r := request{
		method: "tools/call", name: s.tool, headers: paramHeaders(in, arguments),
		params: map[string]any{"name": s.tool, "arguments": arguments},
	}
	r.once = s.once
	if s.verbose {
		r.log = "debug"
	}
	result, err := a.converse(ctx, c, r)
	if err != nil {
		return errors.Join(a.printError(err), a.callFailed(ctx, f, meantTool(err, near), s.tool, began))
	}
	return a.printResult(result)
}

// printError gives scripts the JSON-RPC error that a call ended with.
func (a *app) printError(err error) error {
	var rpc *rpcError
	if !a.json() || !errors.As(err, &rpc) {
		return nil
	}
	return printJSON(a.out, map[string]any{"error": rpc})
}

// definition finds the tool among those that the agent sees. What is not there
// may still be callable by its bare name, so nothing here refuses; near is what
// a slip may stand for.
func (a *app) definition(ctx context.Context, c *client, name string) (found tool, near string) {
	all, err := c.tools(ctx)
	if err != nil {
		return tool{}, "" // the call itself will tell
	}
	i := slices.IndexFunc(all, func(t tool) bool { return t.Name == name })
	if i < 0 {
		i = slices.IndexFunc(all, func(t tool) bool { return strings.HasSuffix(t.Name, "__"+name) })
	}
	if i >= 0 {
		return all[i], ""
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return tool{}, durward.Closest(name, names)
}

// meantTool adds to an error that the tool is not known what it may stand for.
func meantTool(err error, near string) error {
	var rpc *rpcError
	if near == "" || !errors.As(err, &rpc) || !strings.HasPrefix(rpc.Message, "Unknown tool") {
		return err
	}
	told := *rpc
	told.Message += "; did you mean " + near + "?"
	return &told
}

// callResult is the answer to tools/call.
type callResult struct {
	raw     json.RawMessage
	Type    string          `json:"resultType"`
	Content []content       `json:"content"`
	Struct  json.RawMessage `json:"structuredContent"`
	IsError bool            `json:"isError"`

	Questions map[string]json.RawMessage `json:"inputRequests"`
	State     *string                    `json:"requestState"`

	Meta struct {
		Refusal *struct {
			Reason string `json:"reason"`
			Call   string `json:"call"`
		} `json:"durward/refusal"`
	} `json:"_meta"`
}

// isRefusal tells that the gateway refused, and not the tool.
func (r callResult) isRefusal() bool { return r.IsError && r.Meta.Refusal != nil }

type content struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	MIMEType string          `json:"mimeType"`
	Data     json.RawMessage `json:"data"` // base64, in the kinds that we know
	URI      string          `json:"uri"`
	Resource struct {
		URI  string  `json:"uri"`
		Text *string `json:"text"`
	} `json:"resource"`
}

// readResult understands what it can: a member of another shape than we know
// may come from a server that is ahead of us, and is left out of the text.
func readResult(raw json.RawMessage) (callResult, error) {
	res := callResult{raw: raw}
	err := json.Unmarshal(raw, &res)
	var shape *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &shape) {
		return res, fmt.Errorf("read the answer: %w", err)
	}
	return res, nil
}

// converse calls, and answers what the server asks, until there is a result.
func (a *app) converse(ctx context.Context, c *client, r request) (callResult, error) {
	asked, told := 0, false
	for asked < maxRounds {
		raw, err := a.watched(ctx, c, r)
		if err != nil {
			return callResult{}, err
		}
		res, err := readResult(raw)
		if err != nil {
			return res, err
		}
		if res.Type != "input_required" {
			return res, nil
		}
		if len(res.Questions) > 0 {
			asked++
		} else if err := a.comeBack(ctx, &told); err != nil {
			return res, err
		}
		if r, err = a.nextRound(r, res); err != nil {
			return res, err
		}
	}
	return callResult{}, fmt.Errorf("the server still asks after %d rounds", maxRounds)
}

// comeBack waits a moment before a call goes on that somebody else has to let
// go on, and says so once. The gateway keeps each request open for a while.
func (a *app) comeBack(ctx context.Context, told *bool) error {
	if !*told {
		a.err.line("The call waits; it may need a person's approval: durward approvals list")
	}
	*told = true
	select {
	case <-time.After(250 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nextRound is the request with the answers to what was asked.
func (a *app) nextRound(r request, res callResult) (request, error) {
	params := maps.Clone(r.params)
	delete(params, "requestState")
	delete(params, "inputResponses")
	if len(res.Questions) > 0 {
		answers, err := a.answers(res.Questions)
		if err != nil {
			return r, err
		}
		params["inputResponses"] = answers
	}
	if res.State != nil {
		params["requestState"] = *res.State
	}
	r.params = params
	return r, nil
}

// watched does one request and shows on a terminal that it goes on.
func (a *app) watched(ctx context.Context, c *client, r request) (json.RawMessage, error) {
	if !a.err.tty && r.log == "" {
		return c.do(ctx, r)
	}
	p := a.progress(r.name)
	defer p.stop()
	c.heard = p.heard
	return c.do(ctx, r)
}

// callFailed says in the words of people why a call did not happen.
func (a *app) callFailed(ctx context.Context, f agentFlags, err error, asked string, began time.Time) error {
	var (
		rpc  *rpcError
		http *httpError
	)
	switch {
	case errors.As(err, &rpc):
		return a.rpcFailed(ctx, f, rpc, asked, began)
	case errors.As(err, &http):
		return httpFailed(http)
	case errors.Is(err, context.DeadlineExceeded):
		return hint(errors.New("no answer within the time that was given"), "--timeout sets that time; `durward upstream list` shows whether the server works.")
	}
	return err
}

// rpcFailed tells a refusal from a failure. To an agent a tool that is not
// allowed looks like one that is not there; whoever may read the record is told more.
func (a *app) rpcFailed(ctx context.Context, f agentFlags, err *rpcError, asked string, began time.Time) error {
	if d, ok := a.refusal(ctx, f, asked, began); ok {
		if d.isRefusal() || err.reason() == "killed" || err.reason() == "quarantined" {
			return hint(refusedf("%s (%s)", err.Message, d.text()), "`durward why %s` tells more.", d.ID)
		}
		return hint(err, "The record says: %s.", d.text())
	}
	if err.Code == -32602 && strings.HasPrefix(err.Message, "Unknown tool") {
		return refusedf("%s: it does not exist, or this agent may not call it. `durward tools` lists what it may.", err.Message)
	}
	if reason := err.reason(); reason == "killed" || reason == "quarantined" {
		return refusedf("%s (%s)", err.Message, reason)
	} else if reason != "" {
		return fmt.Errorf("%w (%s)", err, reason)
	}
	return err
}

func httpFailed(err *httpError) error {
	switch err.status {
	case http.StatusUnauthorized:
		return hint(refusedf("%v", err), "The key is not accepted. Check --key or $DURWARD_KEY; `durward agent list` shows the keys.")
	case http.StatusForbidden:
		return refusedf("%v", err)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return hint(err, "Is the address right? The endpoint ends with /mcp.")
	}
	return err
}

// printResult writes what a tool answered: text for people, all of it for scripts.
func (a *app) printResult(r callResult) error {
	if a.json() {
		if err := printRaw(a.out, r.raw); err != nil {
			return err
		}
	} else {
		a.printContent(r)
	}
	switch {
	case r.isRefusal():
		return said{exitRefused}
	case r.IsError:
		return said{exitFailed}
	}
	return nil
}

func (a *app) printContent(r callResult) {
	out := a.out
	switch {
	case r.isRefusal():
		out = a.err
		_, _ = fmt.Fprintf(out, out.red("The gateway refused it")+" (%s): ", oneLine(r.Meta.Refusal.Reason))
	case r.IsError:
		out = a.err
		_, _ = fmt.Fprint(out, out.red("The tool failed: "))
	}
	for _, c := range r.Content {
		text := c.describe()
		if out.tty {
			text = clean(text)
		}
		_, _ = fmt.Fprint(out, strings.TrimSuffix(text, "\n")+"\n")
	}
	if len(r.Content) == 0 && len(r.Struct) > 0 {
		out.line("%s", r.Struct)
	}
}

func (c content) describe() string {
	switch {
	case c.Type == "text":
		return c.Text
	case c.Type == "resource" && c.Resource.Text != nil:
		return *c.Resource.Text
	case c.Type == "resource":
		return fmt.Sprintf("[resource %s]", oneLine(c.Resource.URI))
	case c.URI != "":
		return fmt.Sprintf("[%s %s]", oneLine(c.Type), oneLine(c.URI))
	}
	what := oneLine(firstOf(c.Type, "content of an unknown kind"))
	if c.MIMEType != "" {
		what += " " + oneLine(c.MIMEType)
	}
	var data []byte
	if json.Unmarshal(c.Data, &data) != nil {
		return "[" + what + "; -o json shows it]"
	}
	return fmt.Sprintf("[%s, %d bytes; -o json has them]", what, len(data))
}
