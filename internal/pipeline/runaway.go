package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/runaway"
)

// metaRunaway is what a runaway agent's model can read in _meta.
const metaRunaway = "durward/runaway"

// runawayWays are the settings of a plan, ready to be asked.
type runawayWays struct {
	all    *durward.Runaway
	agents map[string]*durward.Runaway
}

func compileRunaway(r *durward.Runaways) runawayWays {
	w := runawayWays{all: &r.All, agents: make(map[string]*durward.Runaway, len(r.Agents))}
	for name := range r.Agents {
		own := r.Agents[name]
		w.agents[name] = &own
	}
	return w
}

// of are the settings for a call; nil where nothing is looked for.
func (w *runawayWays) of(c *durward.Call) *durward.Runaway {
	if c.Agent == nil || !loopable(c.Method) {
		return nil
	}
	p := w.all
	if len(w.agents) > 0 {
		if own := w.agents[c.Agent.Name]; own != nil {
			p = own
		}
	}
	if p == nil || p.Mode == "" || p.Mode == durward.RunawayOff {
		return nil
	}
	return p
}

// loopable tells of which methods too many are a sign: not of completions,
// which come with every letter that a person types.
func loopable(method string) bool {
	switch method {
	case mcpwire.MethodToolsCall, mcpwire.MethodPromptsGet, mcpwire.MethodResourcesRead:
		return true
	}
	return false
}

func actor(c *durward.Call) runaway.Subject {
	s := runaway.Subject{Agent: c.Agent.Name, Key: c.KeyID}
	if !c.Wire.Modern {
		s.Session = c.SessionID
	}
	return s
}

// pace looks whether the agent goes in circles, and does what the operator
// wants done about it.
func (g *Gateway) pace(ctx context.Context, t *transit) (durward.Reply, error) {
	c := t.call
	p := t.plan.runaway.of(c)
	if p == nil || t.ticket != "" {
		return durward.Reply{}, nil
	}
	if t.dry() {
		t.tell("signs of a runaway agent: up to %s", p.Mode)
		return durward.Reply{}, nil
	}
	args := c.Input.Arguments.Of(c.Input.Raw)
	act := runaway.Act{Tool: c.Target.PolicyName, Print: g.watcher.Print(c.Target.PolicyName, args), Dangerous: c.Target.Destructive.Or(false) && !c.Target.ReadOnly}
	if p.Spend > 0 {
		act.Cost = t.plan.limits.Cost(c.Target)
	}
	sign := g.watcher.Begin(c.Received, p, actor(c), act)
	if sign.Step == runaway.Pass {
		return durward.Reply{}, nil
	}
	return g.answerSign(ctx, t, p, sign)
}

// answerSign does what a sign calls for. What only tells does so when the sign
// shows and when it has doubled; what hinders is in every record.
func (g *Gateway) answerSign(ctx context.Context, t *transit, p *durward.Runaway, s runaway.Sign) (durward.Reply, error) {
	if s.Step < runaway.Slow && !s.Crossed {
		return durward.Reply{}, nil
	}
	rule := "runaway." + s.Signal
	t.findings = append(t.findings, durward.Finding{Rule: rule, Vector: "runaway", Severity: "medium", Evidence: signText(s, p)})
	if s.Step >= runaway.Stop {
		return g.stopRunaway(ctx, t, p, s)
	}
	t.sign = s
	effect := durward.Flag
	if s.Step == runaway.Hold {
		effect = durward.Hold
	}
	t.verdict = t.verdict.Stricter(durward.Verdict{Effect: effect, Reason: durward.ReasonRunaway, Rule: rule})
	if t.verdict.Rule == rule {
		t.reason, t.rule = durward.ReasonRunaway, rule
	}
	if s.Delay > 0 {
		return durward.Reply{}, g.delay(ctx, s.Delay)
	}
	return durward.Reply{}, nil
}

// delay slows an agent down. It takes none of the upstream's time.
func (g *Gateway) delay(ctx context.Context, d time.Duration) error {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The caller went away.", Err: context.Cause(ctx)}
	}
}

// stopRunaway ends the session, or puts the key into quarantine. A stateless
// agent has no session: it is refused until it was quiet for a while.
func (g *Gateway) stopRunaway(ctx context.Context, t *transit, p *durward.Runaway, s runaway.Sign) (durward.Reply, error) {
	c := t.call
	t.rule = "runaway." + s.Signal
	e := &durward.Error{Code: durward.Stopped, Reason: durward.ReasonRunaway, Retry: p.Window,
		Message: fmt.Sprintf("%s The gateway stopped it. Stop, think again, and tell the person you work for; calls are refused until there were none for %s.", signText(s, p), wait(p.Window))}
	halt := durward.Halt{Agent: c.Agent.Name, Cause: durward.ReasonRunaway, Reason: signText(s, p)}
	switch {
	case s.Step == runaway.Quarantine && c.KeyID != "":
		halt.Kind, halt.Name, halt.Cause = durward.HaltKey, c.KeyID, durward.ReasonQuarantined
	case s.Step == runaway.Quarantine:
		halt.Kind, halt.Name, halt.Cause = durward.HaltAgent, c.Agent.Name, durward.ReasonQuarantined
	case c.Session != nil && !c.Wire.Modern:
		halt.Kind, halt.Name = durward.HaltSession, c.SessionID
	default:
		return t.refusal(e)
	}
	e = haltError(&halt)
	if g.Halt == nil {
		return t.refusal(e)
	}
	if err := g.Halt(context.WithoutCancel(ctx), halt); err != nil {
		g.Log.Error("runaway agent could not be stopped for good; its calls are refused", "agent", halt.Agent, "halt", halt.ID(), "err", err)
	}
	return t.refusal(e)
}

// signText says what was seen, as a sentence.
func signText(s runaway.Sign, p *durward.Runaway) string {
	switch s.Signal {
	case durward.SignalSameCall:
		return fmt.Sprintf("The same call with the same arguments came about %d times within %s.", s.Count, p.Window)
	case durward.SignalErrors:
		return fmt.Sprintf("%d calls in a row have failed.", s.Count)
	case durward.SignalPingPong:
		return fmt.Sprintf("The same two calls took turns %d times.", s.Count)
	case durward.SignalFanOut:
		return fmt.Sprintf("%d different tools were called within %s.", s.Count, p.Window)
	case durward.SignalSpend:
		return fmt.Sprintf("Calls of %d cost units were made within %s.", s.Count, p.Window)
	}
	return fmt.Sprintf("A dangerous tool was called that was not used for %s.", p.Novel)
}

// warn tells a model what its agent does, in the result: as a text, and so
// that a program can read it.
func (t *transit) warn(reply durward.Reply) durward.Reply {
	s := t.sign
	if s.Step < runaway.Tell || reply.Result == nil || !t.asked || t.waits {
		return reply
	}
	p := t.plan.runaway.of(t.call)
	if p == nil {
		return reply
	}
	meta := append([]byte(`{"signal":`), mcpwire.Quote(s.Signal)...)
	meta = strconv.AppendInt(append(meta, `,"count":`...), s.Count, 10)
	meta = strconv.AppendInt(append(meta, `,"limit":`...), s.Limit, 10)
	if s.Delay > 0 {
		meta = strconv.AppendInt(append(meta, `,"delayMs":`...), s.Delay.Milliseconds(), 10)
	}
	reply.Result = withMeta(reply.Result, metaRunaway, append(meta, '}'))
	if t.call.Method == mcpwire.MethodToolsCall {
		reply.Result = withText(reply.Result, "Note of the gateway: "+signText(s, p)+" If this does not help, do something else, or stop and ask the person you work for.")
	}
	return reply
}

// withText adds a text to the content of a tool's result, at its end.
func withText(result []byte, text string) []byte {
	content, ok := mcpwire.Field(result, "content")
	if !ok || !mcpwire.IsArray(content) {
		return result
	}
	head := bytes.TrimRight(content, " \t\r\n")
	head = head[:len(head)-1]
	item := append(append([]byte(`{"type":"text","text":`), mcpwire.Quote(text)...), '}')
	out := append(make([]byte, 0, len(head)+len(item)+2), head...)
	if len(bytes.TrimSpace(head)) > 1 {
		out = append(out, ',')
	}
	return mcpwire.SetField(result, "content", append(append(out, item...), ']'))
}

// paced notes how a call of an agent ended, refusals included. What is not the
// agent's doing says nothing of it.
func (g *Gateway) paced(t *transit, r *durward.Record) {
	p := t.plan.runaway.of(t.call)
	if p == nil {
		return
	}
	switch r.Reason {
	case durward.ReasonKilled, durward.ReasonQuarantined, durward.ReasonOverloaded, durward.ReasonShedding, durward.ReasonShutdown,
		durward.ReasonInputRequired, durward.ReasonRecordUnavailable:
		return
	}
	switch r.Outcome {
	case durward.OutcomeToolError, durward.OutcomeError, durward.OutcomeRefused:
		g.watcher.End(t.call.Received, p, actor(t.call), true)
	case durward.OutcomeOK:
		g.watcher.End(t.call.Received, p, actor(t.call), false)
	}
}
