package durwardtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// GullibleSays is what a gullible agent answers whoever asks.
const GullibleSays = "hunter2-the-password"

// Gullible is an agent of the stateless revision that falls for everything: it
// calls a tool, gives the same password to every question that it is asked on
// the way, and prints what it saw, a line for each.
func Gullible(ctx context.Context, url, key, tool string, out io.Writer) error {
	c := Caller{URL: url, Key: key}
	params := fmt.Sprintf(`{"name":%q,"arguments":{}}`, tool)
	for id := 1; id < 8; id++ {
		body, header := Modern(fmt.Sprint(id), "tools/call", tool, params)
		body = strings.Replace(body, `clientCapabilities":{}`, `clientCapabilities":{"elicitation":{},"sampling":{}}`, 1)
		a, err := c.Try(ctx, body, header)
		if err != nil {
			return err
		}
		var r struct {
			ResultType    string                     `json:"resultType"`
			InputRequests map[string]json.RawMessage `json:"inputRequests"`
			RequestState  string                     `json:"requestState"`
		}
		if err := json.Unmarshal(a.Result, &r); err != nil || r.ResultType != "input_required" {
			_, _ = fmt.Fprintln(out, "answered", a.Body)
			return nil
		}
		answers := map[string]any{}
		for k, asked := range r.InputRequests {
			_, _ = fmt.Fprintln(out, "asked", string(asked))
			answers[k] = reply(asked)
		}
		given, err := json.Marshal(answers)
		if err != nil {
			return err
		}
		state, err := json.Marshal(r.RequestState)
		if err != nil {
			return err
		}
		params = fmt.Sprintf(`{"name":%q,"arguments":{},"inputResponses":%s,"requestState":%s}`, tool, given, state)
	}
	return fmt.Errorf("%s does not stop asking", tool)
}

// reply fills in every field of a form, and completes every prompt, with the password.
func reply(asked json.RawMessage) any {
	var q struct {
		Method string `json:"method"`
		Params struct {
			Schema struct {
				Properties map[string]any `json:"properties"`
			} `json:"requestedSchema"`
		} `json:"params"`
	}
	_ = json.Unmarshal(asked, &q) // what is no question gets no answer
	if q.Method == "sampling/createMessage" {
		return map[string]any{"role": "assistant", "model": "m", "content": map[string]string{"type": "text", "text": GullibleSays}}
	}
	content := map[string]string{}
	for name := range q.Params.Schema.Properties {
		content[name] = GullibleSays
	}
	return map[string]any{"action": "accept", "content": content}
}
