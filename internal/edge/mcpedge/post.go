package mcpedge

import (
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// streamable answers at /mcp and /mcp/{name}.
func (f *Face) streamable(r *edge.Request) {
	switch r.Method() {
	case http.MethodPost:
		f.post(r)
	case http.MethodGet:
		f.get(r)
	case http.MethodDelete:
		f.delete(r)
	default:
		notAllowed(r, "GET, POST, DELETE, OPTIONS")
	}
}

// post is one POST of an agent and the answer to it.
type post struct {
	turn
	face   *Face
	r      *edge.Request
	stream stream
}

func (f *Face) post(r *edge.Request) {
	p := &post{face: f, r: r}
	f.describe(&p.call, r)
	body, ok := p.receive()
	if !ok {
		return
	}
	if isBatch(body) {
		p.batch(body)
		return
	}
	m, err := mcpwire.Scan(body, f.opts.Limits)
	if err != nil {
		p.unreadable(err)
		return
	}
	d, bad := mcpwire.Classify(r.Header(), &m)
	p.fill(&m, d)
	if bad != nil {
		if !p.admit() {
			return
		}
		d, bad = p.tolerate(&m, d, bad)
	}
	switch {
	case bad != nil:
		p.refuse(bad.Status, bad.Err)
	case d.Modern:
		p.modern(&m)
	default:
		p.legacy(&m)
	}
}

// describe fills what of a call is known before its body.
func (f *Face) describe(c *durward.Call, r *edge.Request) {
	c.ID = newID(r.Began())
	c.Received = r.Began()
	c.Wire = durward.Wire{Lane: durward.LaneMCP, Transport: "http", Remote: r.Remote()}
	c.Credential = r.Credential
	c.Endpoint = r.Name
	c.Via = r.Via
	c.Once = r.Get("Idempotency-Key")
}

// receive reads the body; a stranger's only while it is small.
func (p *post) receive() (body []byte, ok bool) {
	p.stream = stream{x: p.r.Exchange, keepAlive: p.face.opts.KeepAlive, lost: func() {}}
	p.stream.json, p.stream.events = accepts(p.r.Header()["Accept"])
	if !p.r.IsSmall() && !p.admit() {
		return nil, false
	}
	if bad := p.unacceptable(); bad != 0 {
		p.refuse(bad, mcpwire.InvalidRequest(http.StatusText(bad)+": POST application/json, and accept application/json and text/event-stream"))
		return nil, false
	}
	if c := &p.call; c.Agent != nil && !c.Agent.Anonymous {
		p.r.Own(c.Agent.Name)
	}
	body, err := p.r.Body()
	if err != nil {
		p.unreceived(err)
		return nil, false
	}
	return body, true
}

func (p *post) unacceptable() (status int) {
	switch {
	case !isJSON(p.r.Header()["Content-Type"]) || p.r.Get("Content-Encoding") != "":
		return http.StatusUnsupportedMediaType
	case !p.stream.json && !p.stream.events:
		return http.StatusNotAcceptable
	}
	return 0
}

func (p *post) unreceived(err error) {
	status := http.StatusBadRequest
	var body *httpwire.BodyError
	if errors.As(err, &body) {
		status = body.Status
	}
	if status == http.StatusRequestEntityTooLarge { // only of those we know a large body is read
		e := edge.TooLarge(body.Limit)
		p.face.gw.Refused(p.r.Context(), &p.call, e)
		p.reject(e)
		return
	}
	p.refuse(status, mcpwire.InvalidRequest("The request body could not be read: "+http.StatusText(status)))
}

func (p *post) unreadable(err error) {
	var scan *mcpwire.ScanError
	if !errors.As(err, &scan) {
		p.refuse(http.StatusBadRequest, mcpwire.InvalidRequest("The message could not be read"))
		return
	}
	if scan.RPCCode == mcpwire.CodeParse { // its length may be a lie, and what follows no request
		p.r.Set("Connection", "close")
	}
	p.id = scan.ID
	if isQuestion(p.id) && !mcpwire.Modern(p.r.Get(mcpwire.HeaderVersion)) {
		if !p.attachSession() {
			return
		}
		p.conv.spoil(scan)
	}
	p.refuse(http.StatusBadRequest, scan.RPC())
}

// modern serves a message of 2026-07-28. Session and event ids that an agent
// may still send are ignored.
func (p *post) modern(m *mcpwire.Message) {
	p.call.Params = paramsOf(p.r.Header())
	if !p.admit() {
		return
	}
	if m.Kind == mcpwire.Notification {
		p.face.notified(nil, m)
		p.accepted()
		return
	}
	ctx, cancel := context.WithCancelCause(p.r.Context()) // a connection that closes is a cancelled call
	defer cancel(nil)
	p.stream.lost = func() { cancel(errAgentLeft) }
	p.answer(ctx, cancel, unbound) // it may be a subscription, and ends with its connection
}

// legacy serves a message of the revisions with sessions.
func (p *post) legacy(m *mcpwire.Message) {
	if m.Method != mcpwire.MethodInitialize && !p.attachSession() {
		return
	}
	switch m.Kind {
	case mcpwire.Response:
		p.face.answered(p.conv, m)
		p.accepted()
	case mcpwire.Notification:
		p.face.notified(p.conv, m)
		p.accepted()
	default:
		p.legacyRequest()
	}
}

func (p *post) legacyRequest() {
	if !p.admit() {
		return
	}
	ctx, cancel := context.WithCancelCause(p.face.base) // a connection that closes says nothing
	defer cancel(nil)
	p.call.Left = func() bool { return p.r.Context().Err() != nil }
	p.answer(ctx, cancel, p.face.opts.CallTime)
}

// attachSession admits the call together with its session.
func (p *post) attachSession() bool {
	ids := p.r.Header()[mcpwire.HeaderSession]
	if len(ids) != 1 || ids[0] == "" {
		p.refuse(http.StatusBadRequest, mcpwire.InvalidRequest("Mcp-Session-Id is missing, or there are several; initialize first"))
		return false
	}
	p.call.SessionID = ids[0]
	conv, err := p.face.admitSession(p.r.Context(), &p.call)
	if err != nil {
		p.reject(err)
		return false
	}
	p.attach(conv)
	p.stream.memory, p.stream.budget = &conv.memory, &p.face.kept
	p.stream.counts = &p.face.counts
	p.stream.primes = mcpwire.Revision(p.call.Wire.Revision).EarlyClose()
	return true
}

// admitSession admits a call that names a session, which belongs to the
// endpoint where it was opened.
func (f *Face) admitSession(ctx context.Context, c *durward.Call) (*conversation, error) {
	if err := f.gw.Admit(ctx, c); err != nil {
		return nil, err
	}
	conv := f.talks.of(c.SessionID)
	if conv == nil || c.Session == nil || c.Session.Endpoint != c.Endpoint {
		e := sessionGone()
		f.gw.Refused(ctx, c, e)
		return nil, e
	}
	return conv, nil
}

// answer runs the turn, for as long as bound says, and sends what comes of it.
func (p *post) answer(ctx context.Context, cancel context.CancelCauseFunc, bound time.Duration) {
	if p.call.Method == mcpwire.MethodListen && !p.stream.events {
		p.refuse(http.StatusNotAcceptable, mcpwire.InvalidRequest("subscriptions/listen needs Accept: text/event-stream"))
		return
	}
	p.face.prepare(&p.turn, &p.stream)
	if p.call.Method != mcpwire.MethodInitialize { // whose answer needs a header
		defer p.stream.afterSilence(bound, func() { cancel(context.DeadlineExceeded) })()
	}
	a := p.face.run(ctx, &p.turn, cancel)
	p.named()
	gone := p.r.Context().Err() != nil // before its answer: who leaves when it has it may be quick
	streamed := p.stream.finish(func() []byte {
		if a.silent {
			return nil
		}
		return a.message(p.id)
	})
	if !streamed {
		if p.send(a) == nil {
			defer p.spend(a)
		} else {
			gone = true
		}
	}
	if p.call.Lost != nil && (gone || errors.Is(context.Cause(ctx), errAgentLeft)) { // a stream that broke under it
		p.call.Lost()
	}
	p.face.lost(&p.call, p.stream.dropped)
}

// spend gives back the memory of a call whose answer was written, unless its
// agent left: then somebody may still have to do with it.
func (p *post) spend(a answer) {
	if a.spent != nil && p.r.Context().Err() == nil {
		a.spent()
		p.r.Spent()
	}
}

// named tells the session that initialize opened, in the header of whatever
// kind of answer follows: without it nobody could use the session.
func (p *post) named() {
	if p.opened != nil {
		p.face.talks.open(p.opened.ID)
		p.r.Set(mcpwire.HeaderSession, p.opened.ID)
	}
}

// send answers with JSON. An error means that the agent left, who needs no
// answer, and that parts of it may still be on their way.
func (p *post) send(a answer) error {
	if a.from != nil {
		edge.SetErrorHeaders(p.r.Exchange, p.call.Credential, a.from)
	}
	if a.retry > 0 || a.limits != nil {
		edge.SetLimitHeaders(p.r.Exchange, a.retry, a.limits)
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	return p.r.Answer(status, typeJSON, a.parts(p.id)...)
}

func (p *post) accepted() { _ = p.r.Answer(http.StatusAccepted, "") } // an agent that left needs no answer

// admit finds out who calls, once; false when the refusal was answered.
func (p *post) admit() bool {
	if p.call.Agent != nil {
		return true
	}
	if err := p.face.gw.Admit(p.r.Context(), &p.call); err != nil {
		p.reject(err)
		return false
	}
	return true
}

func (p *post) reject(err error) { _ = p.send(rejected(err)) } // see send

// refuse answers what cannot be served for how it looks. Strangers are told no
// more than that they are strangers.
func (p *post) refuse(status int, e *durward.RPCError) {
	if !p.admit() {
		return
	}
	a := p.face.refused(p.r.Context(), &p.turn, e)
	a.status = status
	_ = p.send(a) // see there
}

// paramsOf returns the Mcp-Param-* headers as they were sent.
func paramsOf(h http.Header) (ps []durward.ParamValue) {
	for name, values := range h {
		if part, ok := strings.CutPrefix(name, mcpwire.HeaderParamPrefix); ok {
			for _, v := range values {
				ps = append(ps, durward.ParamValue{Header: part, Value: v})
			}
		}
	}
	return ps
}

// isBatch reports whether the first thing in a body opens an array.
func isBatch(body []byte) bool {
	i := slices.IndexFunc(body, func(c byte) bool { return c != ' ' && c != '\t' && c != '\r' && c != '\n' })
	return i >= 0 && body[i] == '['
}

// isJSON reports whether a body is what we read. Who does not say is believed.
func isJSON(types []string) bool {
	if len(types) == 0 || (len(types) == 1 && types[0] == typeJSON) {
		return true
	}
	media, params, _ := strings.Cut(types[0], ";")
	if len(types) > 1 || !strings.EqualFold(strings.TrimSpace(media), typeJSON) {
		return false
	}
	_, charset, said := strings.Cut(strings.ToLower(params), "charset=")
	return !said || strings.Trim(charset, `" `) == "utf-8"
}

// accepts reads what an agent takes as the answer to a POST. Who does not say
// takes anything.
func accepts(values []string) (json, events bool) {
	if len(values) == 0 {
		return true, true
	}
	for _, v := range values {
		if strings.Contains(v, "*/*") {
			return true, true
		}
		json = json || strings.Contains(v, "application/json") || strings.Contains(v, "application/*")
		events = events || strings.Contains(v, typeEvents) || strings.Contains(v, "text/*")
	}
	return json, events
}

func notAllowed(r *edge.Request, allow string) {
	r.Set("Allow", allow)
	_ = r.Answer(http.StatusMethodNotAllowed, "") // an agent that left needs no answer
}
