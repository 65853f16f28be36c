package upstream

import (
	"bytes"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"strconv"
)

// prepareCall makes the call for a line of a request. What need not change
// keeps its bytes.
func (s *server) prepareCall(r *Request, l *line, y *relay) *link.Call {
	c := &link.Call{ID: s.set.nextID(), Method: r.Method, Peer: y, Via: s.set.via(r.Via), Owner: r.Owner}
	rewrite := mcpwire.Rewrite{Name: r.Name, URI: r.URI, TaskID: r.TaskID}
	// On a stream of its own a call's token stays as it is.
	if l.shared || !l.modern {
		if token := progressToken(r.Payload); token != nil {
			c.Progress = bytes.Clone(token) // a stream of the server's may still be about to use it when the call has ended
			rewrite.ProgressToken = strconv.AppendUint(nil, c.ID, 10)
		}
	}
	switch {
	case !l.modern:
		rewrite.Task = s.taskOf(r)
		c.Own = r.TaskID != "" && r.Method != mcpwire.MethodTasksResult // the server has nothing to say to it
		c.Params = mcpwire.Whole(mcpwire.LegacyParams(r.Payload, rewrite))
	case !r.Modern:
		c.Params = mcpwire.ModernParams(r.Payload, rewrite, mcpwire.RequestMeta{
			Capabilities: y.declared(), Info: r.Client.Info, LogLevel: or(r.Client.LogLevel, logLevelUnsaid),
		})
		if r.Payload != nil && (r.Payload.InputResponses.Present() || r.Payload.RequestState.Present() || r.Payload.Task.Present()) {
			// Words that one of the two revisions does not have.
			c.Params = mcpwire.Whole(mcpwire.DropFields(c.Params.Join(), "inputResponses", "requestState", "task"))
		}
	case rewrite.ProgressToken != nil, needsRelaying(r.Client.Capabilities):
		c.Params = mcpwire.ModernParams(r.Payload, rewrite, mcpwire.RequestMeta{
			Capabilities: relayed(r.Client.Capabilities), Info: r.Client.Info, LogLevel: r.Client.LogLevel,
		})
	default:
		c.Params = renamed(r.Payload, rewrite)
	}
	if l.modern && !l.shared {
		c.Name = routingName(r)
		c.Headers = mcpwire.ParamFields(arguments(r.Payload), r.ParamHeaders)
	}
	return c
}

// logLevelUnsaid is what a client of an older revision hears that never said.
const logLevelUnsaid = "info"

func needsRelaying(caps []byte) bool {
	_, ok := mcpwire.Field(caps, "extensions")
	return ok
}

// renamed replaces the routed name or URI of a modern request for a modern
// server. The rest, _meta included, is the client's own.
func renamed(p *durward.Payload, w mcpwire.Rewrite) mcpwire.Pieces {
	if p == nil || p.Raw == nil {
		return nil
	}
	if p.Ref.Present() {
		ref := p.Ref.Of(p.Raw)
		if w.Name != "" {
			ref = replaced(ref, "name", w.Name)
		}
		if w.URI != "" {
			ref = replaced(ref, "uri", w.URI)
		}
		return mcpwire.SplicePieces(p.Raw, mcpwire.Edit{Span: p.Ref, New: ref})
	}
	switch {
	case w.Name != "" && p.Name.Present():
		return replaceText(p.Raw, p.Name, w.Name)
	case w.URI != "" && p.URI.Present():
		return replaceText(p.Raw, p.URI, w.URI)
	case w.TaskID != "" && p.TaskID.Present():
		return replaceText(p.Raw, p.TaskID, w.TaskID)
	}
	return mcpwire.Pieces{p.Raw}
}

func replaceText(raw []byte, at durward.Span, text string) mcpwire.Pieces {
	if mcpwire.IsText(at.Of(raw), text) {
		return mcpwire.Pieces{raw}
	}
	return mcpwire.SplicePieces(raw, mcpwire.Edit{Span: at, New: mcpwire.Quote(text)})
}

func replaced(obj []byte, field, text string) []byte {
	if _, ok := mcpwire.Field(obj, field); !ok {
		return obj
	}
	return mcpwire.SetField(obj, field, mcpwire.Quote(text))
}

// routingName is what Mcp-Name mirrors: the name as it is sent.
func routingName(r *Request) string {
	if r.Payload == nil {
		return ""
	}
	switch mcpwire.NameOf(r.Method) {
	case "name":
		return textOr(r.Name, r.Payload.Name.Of(r.Payload.Raw))
	case "uri":
		return textOr(r.URI, r.Payload.URI.Of(r.Payload.Raw))
	case "taskId":
		return textOr(r.TaskID, r.Payload.TaskID.Of(r.Payload.Raw))
	}
	return ""
}

func textOr(text string, raw []byte) string {
	if text == "" {
		text, _ = mcpwire.Text(raw)
	}
	return text
}

func arguments(p *durward.Payload) []byte {
	if p == nil {
		return nil
	}
	return p.Arguments.Of(p.Raw)
}

func progressToken(p *durward.Payload) []byte {
	if p == nil || !p.Meta.Present() {
		return nil
	}
	token, _ := mcpwire.Field(p.Meta.Of(p.Raw), "progressToken")
	return token
}
