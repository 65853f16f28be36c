package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"fmt"
	"time"
)

// Bounds of what one upstream may list.
const (
	pagesMost = 1000
	itemsMost = 20_000 // of one list, those that are left out among them
	toldMost  = 20     // items of which it is said why they are left out
	bytesMost = 64 << 20
	pageTime  = 30 * time.Second
)

// lists is what an upstream offers.
type lists struct {
	tools, resources, templates, prompts [][]byte

	ttl     time.Duration // least that was said; 0 when nothing was
	dropped []error       // why items were left out: the first of them
	left    int           // how many were left out
	trouble error         // why a list is missing or cut off
}

// listed are the lists, the capability that stands for each, and what tells
// its items apart.
var listed = [...]struct {
	method, capability, id string
	kind                   durward.Kind
	items                  func(*lists) *[][]byte
}{
	{mcpwire.MethodToolsList, "tools", "name", durward.KindTool, func(l *lists) *[][]byte { return &l.tools }},
	{mcpwire.MethodResourcesList, "resources", "uri", durward.KindResource, func(l *lists) *[][]byte { return &l.resources }},
	{mcpwire.MethodTemplatesList, "resources", "uriTemplate", durward.KindTemplate, func(l *lists) *[][]byte { return &l.templates }},
	{mcpwire.MethodPromptsList, "prompts", "name", durward.KindPrompt, func(l *lists) *[][]byte { return &l.prompts }},
}

// fetch reads the lists that a server declares, to their ends. A list that the
// server refuses is trouble and costs no other; an error is of the link.
func (s *server) fetch(ctx context.Context, l *line) (*lists, error) {
	out := &lists{}
	budget := bytesMost
	for _, of := range listed {
		if _, ok := mcpwire.Field(l.welcome.Capabilities, of.capability); !ok {
			continue
		}
		items, err := s.fetchList(ctx, l, of.method, out, &budget)
		var refused *durward.RPCError
		switch {
		case errors.As(err, &refused) && refused.Code == mcpwire.CodeMethodNotFound:
			// Declared and not there; common for templates.
		case errors.As(err, &refused), errors.Is(err, errTooMuch):
			out.trouble = fmt.Errorf("%s: %w", of.method, err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", of.method, err)
		}
		*of.items(out) = s.usable(l, of.method, items, out)
	}
	return out, nil
}

var errTooMuch = errors.New("the list is longer than is allowed, or does not end")

func (s *server) fetchList(ctx context.Context, l *line, method string, out *lists, budget *int) ([][]byte, error) {
	var items [][]byte
	var cursor []byte
	seen := 0
	for range pagesMost {
		result, err := s.fetchPage(ctx, l, method, cursor)
		if err != nil {
			return items, err
		}
		page, err := mcpwire.ReadList(method, result)
		if err != nil {
			return items, link.Faultf(link.Garbled, "%w", err)
		}
		seen += len(page.Items) + page.Left
		if *budget -= len(result); *budget < 0 || seen > itemsMost {
			return items, errTooMuch
		}
		items = append(items, page.Items...)
		out.leave(page.Left, page.Dropped...)
		out.hint(page.TTL)
		next := mcpwire.Quote(page.Cursor)
		if !page.More {
			return items, nil
		}
		if string(next) == string(cursor) {
			return items, errTooMuch
		}
		cursor = next
	}
	return items, errTooMuch
}

// leave notes that n items are left out, and why as far as that is kept.
func (l *lists) leave(n int, why ...error) {
	l.left += n
	l.dropped = append(l.dropped, why[:min(len(why), toldMost-len(l.dropped))]...)
}

// why says for each item that is left out why, as far as that is kept.
func (l *lists) why() (out []string) {
	for _, err := range l.dropped {
		out = append(out, err.Error())
	}
	if more := l.left - len(l.dropped); more > 0 {
		out = append(out, fmt.Sprintf("%d more items", more))
	}
	return out
}

func (l *lists) hint(raw []byte) {
	ms, ok := mcpwire.Int(raw)
	if !ok || ms < 0 {
		return
	}
	// As short as a second and as long as a day, so that no server makes us
	// poll in a circle or remember for ever.
	ttl := min(max(time.Duration(min(ms, 1<<40))*time.Millisecond, time.Second), 24*time.Hour)
	if l.ttl == 0 || ttl < l.ttl {
		l.ttl = ttl
	}
}

func (s *server) fetchPage(ctx context.Context, l *line, method string, cursor []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	c := &link.Call{ID: s.set.nextID(), Method: method, Own: true, Peer: hermit{}}
	var params []byte
	if cursor != nil {
		params = append(append([]byte(`{"cursor":`), cursor...), '}')
	}
	if c.Params = mcpwire.Whole(params); l.modern {
		c.Params = s.paramsAs(l.as, params)
	}
	a, err := l.conn.Do(ctx, c)
	switch {
	case err != nil:
		return nil, err
	case a.Error != nil && (&flaw{line: l, rpc: a.Error}).misjudged():
		return nil, &link.Fault{Kind: link.WrongEra, RPC: a.Error, Err: a.Error}
	case a.Error != nil:
		return nil, a.Error
	}
	return a.Result, nil
}

// ownParams are the params of a request of our own to a modern server.
func (s *server) ownParams(params []byte) mcpwire.Pieces { return s.paramsAs(nil, params) }

// paramsAs are those of a request that says it comes from somebody else.
func (s *server) paramsAs(as *link.Hello, params []byte) mcpwire.Pieces {
	var p *durward.Payload
	if params != nil {
		p = &durward.Payload{Raw: params}
	}
	if as != nil {
		return mcpwire.ModernParams(p, mcpwire.Rewrite{}, mcpwire.RequestMeta{Capabilities: as.Capabilities, Info: as.Info})
	}
	return mcpwire.ModernParams(p, mcpwire.Rewrite{}, mcpwire.RequestMeta{Capabilities: everythingIn(mcpwire.NewestModern), Info: s.set.info})
}

// usable leaves out the tools that could not be called through us: those with
// invalid header annotations, as a client over HTTP has to, and those that run
// only as tasks on a server that says it has none.
func (s *server) usable(l *line, method string, items [][]byte, out *lists) [][]byte {
	if method != mcpwire.MethodToolsList {
		return items
	}
	kept := items[:0]
	for _, item := range items {
		if err := s.check(l, item); err != nil {
			out.leave(1, err)
			continue
		}
		kept = append(kept, item)
	}
	return kept
}

func (s *server) check(l *line, tool []byte) error {
	name, _ := mcpwire.FieldText(tool, "name")
	if !l.modern && mcpwire.TaskSupport(tool) == mcpwire.TaskRequired && !mcpwire.ServesTasks(l.welcome.Capabilities) {
		return fmt.Errorf("tool %q runs only as a task, and its server runs none", name)
	}
	if l.modern && !l.shared {
		schema, _ := mcpwire.Field(tool, "inputSchema")
		if _, err := mcpwire.ParamHeaders(schema); err != nil {
			return fmt.Errorf("tool %q: %w", name, err)
		}
	}
	return nil
}
