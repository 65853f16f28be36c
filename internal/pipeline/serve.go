package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"durward"
	"durward/internal/catalog"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// Serve runs one call and returns the upstream's answer, or why there is none.
// Every call leaves a record, whatever happens to it. Refusals are
// *durward.Error; what an upstream answered, errors included, is a Reply.
func (g *Gateway) Serve(ctx context.Context, c *durward.Call, p durward.Peer) (durward.Reply, error) {
	t := g.begin(c)
	reply, err := g.run(ctx, t, p)
	for g.tooSoon(ctx, t, err) {
		t = g.begin(c)
		reply, err = g.run(ctx, t, p)
	}
	reply, err = g.wrapUp(ctx, t, reply, err)
	t.abandon() // nothing, unless wrapping up broke off
	if t.booking != nil {
		reply, err = g.release(ctx, t, reply, err)
	}
	return g.finish(ctx, t, reply, err)
}

// wrapUp settles what the call began, however it ended.
func (g *Gateway) wrapUp(ctx context.Context, t *transit, in durward.Reply, was error) (reply durward.Reply, err error) {
	defer g.rescue(t, &reply, &err)
	t.fault("conclude")
	g.conclude(ctx, t, in, was)
	reply, err = g.release(ctx, t, in, was)
	return t.warn(reply), err
}

// finish closes the record. A bug there leaves the call without one, and then
// without its answer, too.
func (g *Gateway) finish(ctx context.Context, t *transit, in durward.Reply, was error) (reply durward.Reply, err error) {
	defer g.rescue(t, &reply, &err)
	return g.end(ctx, t, in, was)
}

// rescue is deferred around the steps of a call: a bug of ours ends that call,
// which then leaves a record like any other, and no more.
func (g *Gateway) rescue(t *transit, reply *durward.Reply, err *error) {
	if bug := recover(); bug != nil {
		g.Log.Error("step of a call panicked", "call", t.call.ID, "step", t.step, "panic", bug, "stack", string(debug.Stack()))
		t.broke = true
		*reply, *err = durward.Reply{}, durward.AsError(fmt.Errorf("panic: %v", bug))
	}
}

// run is the order of the checks. A step that fails ends the call there; what
// follows it never sees the call. [Gateway.Explain] runs the same steps up to
// where a call would be made.
func (g *Gateway) run(ctx context.Context, t *transit, p durward.Peer) (reply durward.Reply, err error) {
	defer g.rescue(t, &reply, &err)
	if err := g.identify(t.at("identify")); err != nil { // who calls?
		return durward.Reply{}, err
	}
	if err := g.attach(t.at("attach")); err != nil { // in which session?
		return durward.Reply{}, err
	}
	if reply, err := t.at("halted").halted(); err != nil || reply.Result != nil { // was it stopped?
		return reply, err
	}
	if err := g.shed(t.at("shed")); err != nil { // is there room for it?
		return durward.Reply{}, err
	}
	if err := g.resolve(t.at("resolve")); err != nil { // what is meant? from here the target cannot change
		return durward.Reply{}, err
	}
	if err := g.pinned(ctx, t.at("pinned")); err != nil { // is it what was approved?
		return durward.Reply{}, err
	}
	if err := t.at("permit").permit(); err != nil { // may it?
		return durward.Reply{}, err
	}
	if reply, err := g.attributes(t.at("policy")); err != nil || reply.Result != nil { // do its attributes allow it?
		return reply, err
	}
	if err := t.at("agree").agree(); err != nil { // do headers and body say the same, and can a task be had?
		return durward.Reply{}, err
	}
	if reply, err := g.inspect(t.at("inspect")); err != nil || reply.Result != nil { // are the arguments sound?
		return reply, err
	}
	if err := g.unseal(t.at("unseal")); err != nil { // is carried state ours, and this caller's?
		return durward.Reply{}, err
	}
	if reply, err := g.take(ctx, t.at("take")); err != nil || reply.Result != nil { // is there any of it left?
		return reply, err
	}
	if reply, err := g.guardCall(t.at("judge")); err != nil || reply.Result != nil { // may it leave?
		return reply, err
	}
	defer g.leave(t)
	if ctx, err = g.enter(ctx, t.at("enter")); err != nil { // from here it can be stopped
		return durward.Reply{}, err
	}
	if reply, err := g.pace(ctx, t.at("pace")); err != nil || reply.Result != nil { // does it go in circles?
		return g.cut(ctx, t, reply, err)
	}
	if reply, err := g.once(ctx, t.at("once")); err != nil || reply.Result != nil || reply.Error != nil { // was it made before?
		return g.cut(ctx, t, reply, err)
	}
	if reply, err := g.consent(ctx, t.at("consent"), p); err != nil || reply.Result != nil { // held: has a person approved?
		return g.cut(ctx, t, reply, err)
	}
	if t.dry() { // what follows acts
		return durward.Reply{}, g.tellUpstream(t.at("upstream"))
	}
	if err := g.announce(ctx, t.at("record")); err != nil { // no record, no call
		return durward.Reply{}, err
	}
	if ctx, err = g.commit(ctx, t.at("commit")); err != nil { // what is made once is noted before it is made
		return durward.Reply{}, err
	}
	reply, err = g.do(ctx, t.at("do"), p)
	return g.cut(ctx, t, reply, err)
}

// identify finds the agent. One that the edge had admitted before is taken
// over, unless the plan has changed since: then it is looked up again.
func (g *Gateway) identify(t *transit) error {
	c := t.call
	switch {
	case c.Agent != nil && t.plan.views[c.Agent] != nil:
		return nil
	case c.Agent != nil:
		return t.byName(c.Agent.Name)
	case c.Local != "": // the operating system vouches for the caller
		return t.byName(c.Local)
	}
	agent, key, err := t.plan.identity.Verify(c.Credential, g.Now())
	if key != nil {
		c.KeyID, t.holder = key.ID, key.Agent
	}
	c.Agent = agent
	return err
}

func (t *transit) byName(name string) error {
	agent, ok := t.plan.identity.Agent(name)
	if !ok {
		t.call.Agent = nil
		if !t.plan.identity.Known(name) {
			return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonAgentUnknown, Message: "There is no agent named " + name + "; durward agent list shows them."}
		}
		return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonAgentDisabled, Message: "The agent " + name + " is disabled."}
	}
	t.call.Agent = agent
	if t.dry() {
		t.tellKeys(agent)
	}
	return nil
}

// attach finds the session that the call names; the stateless revision has none.
func (g *Gateway) attach(t *transit) error {
	c := t.call
	if c.Wire.Modern || c.SessionID == "" || c.Session != nil {
		return nil
	}
	s, err := g.Sessions.Attach(c.SessionID, c.Agent.Name, g.Now())
	if err != nil {
		return err
	}
	c.Session, c.Client = s, s.Client
	return nil
}

// resolve finds the operation that the call means, through the endpoint that
// it came to.
func (g *Gateway) resolve(t *transit) error {
	c := t.call
	if t.view = t.plan.view(c.Agent, c.Endpoint); t.view == nil {
		return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Message: "There is no endpoint /mcp/" + c.Endpoint + "."}
	}
	if err := t.ask(); err != nil {
		return err
	}
	var err error
	switch c.Method {
	case mcpwire.MethodToolsCall:
		c.Target, err = t.view.Named(durward.KindTool, c.Asked)
	case mcpwire.MethodPromptsGet:
		c.Target, err = t.view.Named(durward.KindPrompt, c.Asked)
	case mcpwire.MethodResourcesRead:
		c.Target, err = t.resource(c.Asked)
	case mcpwire.MethodComplete:
		c.Target, err = t.reference()
	case mcpwire.MethodTasksGet, mcpwire.MethodTasksResult, mcpwire.MethodTasksUpdate, mcpwire.MethodTasksCancel:
		c.Target, err = g.task(t)
	default:
		err = &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The method " + c.Method + " calls nothing."}
	}
	if t.dry() {
		t.tellTarget()
	}
	return err
}

// ask reads what is asked for from where the method has it, and from nowhere
// else: what is decided on must be what the upstream will act on. Members that
// would say it for another method have no place in the request.
func (t *transit) ask() error {
	c, in := t.call, &t.call.Input
	at, others := in.Name, [2]durward.Span{in.URI, in.Ref}
	switch {
	case c.Method == mcpwire.MethodResourcesRead:
		at, others = in.URI, [2]durward.Span{in.Name, in.Ref}
	case c.Method == mcpwire.MethodComplete:
		at, others = in.Ref, [2]durward.Span{in.Name, in.URI}
	case isTaskMethod(c.Method):
		at, others = in.TaskID, [2]durward.Span{in.Name, in.URI}
	}
	for _, o := range others {
		if o.Present() {
			return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid,
				Message: "The params of " + c.Method + " name what they ask for in more than one way."}
		}
	}
	raw := at.Of(in.Raw)
	if c.Method == mcpwire.MethodComplete || (raw != nil && mcpwire.IsText(raw, c.Asked)) {
		return nil // reference reads it; or the edge has read it already
	}
	asked, ok := mcpwire.Text(raw)
	if !ok {
		return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The params of " + c.Method + " do not say what to ask for."}
	}
	c.Asked = asked
	return nil
}

func (t *transit) resource(uri string) (*durward.Operation, error) {
	var err error
	if t.candidates, err = t.view.Resource(uri); err != nil {
		return nil, err
	}
	return t.candidates[0], nil
}

// reference finds what a completion is for: a prompt by name, a resource by
// URI or template.
func (t *transit) reference() (*durward.Operation, error) {
	ref := t.call.Input.Ref.Of(t.call.Input.Raw)
	kind, _ := textField(ref, "type")
	name, named := textField(ref, "name")
	uri, located := textField(ref, "uri")
	switch {
	case kind == "ref/prompt" && named && !located:
		t.call.Asked = name
		return t.view.Named(durward.KindPrompt, name)
	case kind == "ref/resource" && located && !named:
		t.call.Asked = uri
		if op := t.view.Template(uri); op != nil {
			return op, nil
		}
		return t.resource(uri)
	}
	return nil, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid,
		Message: "The ref of a completion is a ref/prompt with a name, or a ref/resource with a uri."}
}

func textField(obj []byte, key string) (string, bool) {
	if obj == nil {
		return "", false
	}
	v, ok := mcpwire.Field(obj, key)
	if !ok {
		return "", false
	}
	return mcpwire.Text(v)
}

// names are those that rules match.
func names(op *durward.Operation) string {
	if shown := op.Shown(); shown != "" {
		return op.PolicyName + " and as " + shown
	}
	return op.PolicyName
}

// permit asks the policy. What the agent must not know of answers like what
// does not exist; the record tells the difference.
func (t *transit) permit() error {
	t.verdict = t.view.Decide(t.call.Target)
	if t.dry() {
		t.tell("roles %s; rules see %s as %s", orNone(t.call.Agent.Roles), t.call.Target.Kind, names(t.call.Target))
		t.tell("%s", map[bool]string{true: "hidden from its lists", false: "shown in its lists"}[t.verdict.Denies()])
	}
	if t.verdict.Denies() {
		hidden := catalog.Unknown(t.call.Target.Kind, t.call.Asked)
		if isTaskMethod(t.call.Method) {
			hidden = unknownTask()
		}
		t.reason, t.rule = t.verdict.Reason, t.verdict.Rule
		return hidden
	}
	t.rule = t.verdict.Rule
	if t.standing != nil {
		t.reason = t.standing.Reason
		t.verdict = t.verdict.Stricter(durward.Verdict{Effect: durward.Flag, Reason: t.reason})
	}
	return nil
}

// agree holds the Mcp-Param-* headers of a modern call against its body; who
// routes on a header must have routed right (MCP 2026-07-28, -32020).
func (t *transit) agree() error {
	c := t.call
	if err := t.wantsTask(); err != nil {
		return err
	}
	if t.verdict.Effect == durward.Hold && isTaskMethod(c.Method) {
		t.verdict.Effect, t.reason = durward.Allow, durward.ReasonNone // people were asked before there was a task
	}
	if !c.Wire.Modern || c.Wire.Transport != "http" || c.Method != mcpwire.MethodToolsCall {
		return nil
	}
	sent := func(name string) []string {
		var values []string
		for _, p := range c.Params {
			if strings.EqualFold(mcpwire.HeaderParamPrefix+p.Header, name) {
				values = append(values, p.Value)
			}
		}
		return values
	}
	if bad := mcpwire.CheckParams(c.Input.Arguments.Of(c.Input.Raw), c.Target.ParamHeaders, sent); bad != nil {
		return &durward.Error{Code: durward.HeaderMismatch, Reason: durward.ReasonRequestInvalid, Message: bad.Message}
	}
	return nil
}

// inspect checks the arguments against the tool's own schema. A violation is
// a tool result, so that the model can correct itself.
func (g *Gateway) inspect(t *transit) (durward.Reply, error) {
	c := t.call
	mode := t.argumentsMode()
	if c.Method != mcpwire.MethodToolsCall || mode == "off" || t.blind("their schema") {
		return durward.Reply{}, nil
	}
	found := g.schemas.Check(c.Target, c.Input.Arguments.Of(c.Input.Raw))
	if len(found) == 0 {
		return durward.Reply{}, nil
	}
	t.findings = append(t.findings, found...)
	t.reason = durward.ReasonArgumentsInvalid
	if guard.Unusable(found) {
		t.reason = durward.ReasonSchemaUnusable
	}
	if mode == "report" {
		t.verdict = t.verdict.Stricter(durward.Verdict{Effect: durward.Flag, Reason: t.reason})
		return durward.Reply{}, nil
	}
	t.verdict = durward.Verdict{Effect: durward.Deny, Reason: t.reason}
	if t.tasked { // whoever waits for a task cannot read the result of a tool
		return durward.Reply{}, &durward.Error{Code: durward.BadRequest, Reason: t.reason, Message: guard.Explain(c.Asked, found)}
	}
	return durward.Reply{Result: toolError(guard.Explain(c.Asked, found)), Modern: true}, nil
}

// toolError is a tool result that says what went wrong.
func toolError(text string) []byte {
	out := append([]byte(`{"resultType":"complete","content":[{"type":"text","text":`), mcpwire.Quote(text)...)
	return append(out, `}],"isError":true}`...)
}

// do lets the upstream answer. An unlisted resource is asked for in turn,
// which is safe: reading has no side effects.
func (g *Gateway) do(ctx context.Context, t *transit, p durward.Peer) (durward.Reply, error) {
	reply, err := g.ask(ctx, t, p)
	for i := 1; i < len(t.candidates) && notFound(reply, err); i++ {
		// A resource that nobody listed may be any candidate's; each is judged by
		// itself, and the record names the one that answered.
		t.call.Target = t.candidates[i]
		if err := t.pinned(); err != nil {
			return durward.Reply{}, err
		}
		if err := t.permit(); err != nil {
			return durward.Reply{}, err
		}
		if reply, err := g.attributes(t); err != nil || reply.Result != nil {
			return reply, err
		}
		if t.verdict.Effect == durward.Hold { // it was not what was asked about
			return durward.Reply{}, held("The resource could be another server's, which needs an approval that this call does not have.")
		}
		reply, err = g.ask(ctx, t, p)
	}
	return reply, err
}

func notFound(r durward.Reply, err error) bool {
	return err == nil && r.Error != nil && (r.Error.Code == mcpwire.CodeInvalidParams || r.Error.Code == mcpwire.CodeLegacyResourceNotFound)
}

func (g *Gateway) ask(ctx context.Context, t *transit, p durward.Peer) (durward.Reply, error) {
	start, before := g.Now(), t.asked
	t.asked = true
	defer func() { t.upstreamUS += g.Now().Sub(start).Microseconds() }()
	got, err := g.lap(ctx, t, p)
	t.overhear(got.ears)
	if err != nil {
		if durward.AsError(err).Reason == durward.ReasonBreakerOpen {
			t.asked = before // nothing was sent: it is a refusal, and takes nothing of a limit
		}
		return durward.Reply{}, err
	}
	if got.waits {
		return g.sealTicket(t, got.Reply), nil
	}
	reply, err := t.honest(got.Reply)
	if err != nil {
		return durward.Reply{}, err
	}
	if reply, err = g.examine(ctx, t, reply); err != nil {
		return durward.Reply{}, err
	}
	if reply, err = g.nameTasks(t, reply); err != nil {
		return durward.Reply{}, err
	}
	if reply.Result != nil {
		reply.Result = t.view.Settle(t.call.Target.Upstream, reply.Result)
	}
	return g.sealUpstream(t, reply), nil
}

// lap runs the call, up to its end or to where it has to wait for its stateless
// caller to come back; or it goes on with one that did.
func (g *Gateway) lap(ctx context.Context, t *transit, p durward.Peer) (leg, error) {
	c := t.call
	if c.Method == mcpwire.MethodTasksResult {
		p = taskPeer{p, c.Asked}
	}
	ears := g.listen(t, p)
	switch {
	case t.ticket == "" && !t.mayPark():
		reply, err := g.Upstreams.Do(ctx, t.request(), ears.as())
		return leg{Reply: reply, ears: ears}, err
	case t.ticket != "":
		return g.parking.resume(ctx, c.Agent.Name, t.ticket, c.Input.InputResponses.Of(c.Input.Raw), p)
	}
	r := t.request()
	r.Answers = true // parked answers what the upstream asks
	r.Owner = ""     // what it was read from may be needed for longer than this request
	payload := *r.Payload
	payload.Raw = bytes.Clone(payload.Raw) // the edge takes its bytes back when the first leg ends
	r.Payload = &payload
	r.Client.Capabilities, r.Client.Info = bytes.Clone(r.Client.Capabilities), bytes.Clone(r.Client.Info)
	size := int64(len(payload.Raw) + len(r.Client.Capabilities) + len(r.Client.Info))
	return g.parking.run(ctx, c.Agent.Name, c.KeyID, size, p, ears, func(ctx context.Context, p durward.Peer) (durward.Reply, error) {
		return g.Upstreams.Do(ctx, r, p)
	})
}
