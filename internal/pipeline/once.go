package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/mcpwire"
	"durward/internal/once"
	"durward/internal/policy"
	"durward/internal/upstream"
)

// metaOnce is the key of _meta by which a caller says that calls are one and
// the same; over HTTP the Idempotency-Key header says it too.
const metaOnce = "durward/idempotencyKey"

const maxOnceKey = 128

// once finds out whether the call was issued before: then its caller gets the
// first result, after waiting for it if need be, or hears that nobody knows
// how that call ended. Otherwise the call is claimed.
func (g *Gateway) once(ctx context.Context, t *transit) (durward.Reply, error) {
	c := t.call
	if c.Method != mcpwire.MethodToolsCall || c.Target.ReadOnly || g.Ledger == nil {
		return durward.Reply{}, nil
	}
	ask, err := t.identity(ctx)
	if err != nil || ask.Key == "" {
		return durward.Reply{}, err
	}
	if t.dry() {
		t.tell("%s", map[once.Mode]string{
			once.Broken: "made once: issued again after its caller went away, it gets the first result",
			once.Always: "made once: issued again, it gets the first result",
		}[ask.Mode])
		return durward.Reply{}, nil
	}
	claim, reply, err := g.Ledger.Claim(ctx, ask)
	if err != nil {
		if e := durward.AsError(err); e.Reason == durward.ReasonOutcomeUnknown || e.Reason == durward.ReasonDuplicate {
			return t.heldBack(e.Reason, e.Message)
		}
		return durward.Reply{}, err
	}
	if reply != nil {
		t.reason = durward.ReasonAnsweredBefore
		return *reply, nil
	}
	if claim != nil {
		t.claims, t.onceKeys = append(t.claims, claim), append(t.onceKeys, ask.Key)
	}
	return durward.Reply{}, nil
}

// identity is what makes two calls one: a key that the caller chose, the
// approval that lets it through, or, for tools that must not be called twice by
// accident, all of the call. No key: the call is none of the ledger's.
func (t *transit) identity(ctx context.Context) (once.Ask, error) {
	c, rules := t.call, t.plan.once()
	said, err := t.onceKey()
	if err != nil {
		return once.Ask{}, err
	}
	if said == "" && t.approval == "" && (rules.Mode == "off" || !t.plan.onceCovers(rules, c.Target)) {
		return once.Ask{}, nil
	}
	args, err := t.argsDigest()
	if err != nil {
		return once.Ask{}, err
	}
	ask := once.Ask{Agent: c.Agent.Name, Call: c.ID, Args: args, Mode: once.Always, Keep: rules.KeyWindow, Left: t.left(ctx)}
	op := c.Target
	switch {
	case said != "":
		ask.Key = approval.Digest("key", c.Agent.Name, op.Upstream, op.Name, said)
	case t.approval != "":
		ask.Key = approval.Digest("approval", c.Agent.Name, t.approval)
	default:
		ask.Key, ask.Keep = approval.Digest("args", c.Agent.Name, op.Upstream, op.Name, args), rules.Window
		if rules.Mode != "always" {
			ask.Mode = once.Broken
		}
	}
	return ask, nil
}

// onceKey is the key that the caller chose, in _meta or in a header.
func (t *transit) onceKey() (string, error) {
	c := t.call
	inMeta := ""
	if meta := c.Input.Meta.Of(c.Input.Raw); meta != nil {
		if raw, ok := mcpwire.Field(meta, metaOnce); ok {
			if inMeta, ok = mcpwire.Text(raw); !ok || inMeta == "" {
				return "", badKey("is not a text")
			}
		}
	}
	key := inMeta
	switch {
	case key == "":
		key = c.Once
	case c.Once != "" && c.Once != key:
		return "", badKey("in _meta is another than in the header")
	}
	if len(key) > maxOnceKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", badKey("is longer than 128 bytes, or has characters that cannot be seen")
	}
	return key, nil
}

func badKey(how string) error {
	return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The idempotency key " + how + "."}
}

func (t *transit) argsDigest() (string, error) {
	raw := t.call.Input.Arguments.Of(t.call.Input.Raw)
	if raw == nil {
		raw = []byte("{}")
	}
	canonical, err := mcpwire.Canonical(nil, raw)
	if err != nil {
		return "", &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonArgumentsInvalid, Err: err, Message: "The arguments cannot be compared with those of other calls."}
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// left tells whether the caller is gone.
func (t *transit) left(ctx context.Context) func() bool {
	if t.call.Left != nil {
		return t.call.Left
	}
	return func() bool { return ctx.Err() != nil }
}

func (p *Plan) once() durward.Once {
	if p.snapshot.Once.Mode == "" {
		return durward.OnceDefaults()
	}
	return p.snapshot.Once
}

// onceCovers tells whether a tool must not be called twice by accident: its
// definition says so in as many words, or the operator does.
func (p *Plan) onceCovers(rules durward.Once, op *durward.Operation) bool {
	matches := func(patterns []string) bool {
		for _, pattern := range patterns {
			if policy.Matches(pattern, op) {
				return true
			}
		}
		return false
	}
	if len(rules.Except) > 0 && matches(rules.Except) {
		return false
	}
	return op.Destructive == durward.Yes || op.Idempotent == durward.No || matches(rules.Tools)
}

// commit notes a claimed call, durably, before it is made. The call goes on to
// its end when a caller that has no other way to cancel loses its connection:
// the result waits for the call to be issued again.
func (g *Gateway) commit(ctx context.Context, t *transit) (context.Context, error) {
	if err := g.claimApproval(ctx, t); err != nil || len(t.claims) == 0 {
		return ctx, err
	}
	for _, c := range t.claims {
		if err := c.Begin(ctx); err != nil {
			return ctx, err
		}
	}
	if w := t.call.Wire; w.Modern && w.Transport == "http" {
		return g.running.outlive(ctx, t), nil
	}
	return ctx, nil
}

// claimApproval makes an approved call one with its retries: who lost the
// answer comes back with the state of the question.
func (g *Gateway) claimApproval(ctx context.Context, t *transit) error {
	if t.approval == "" || t.ticket != "" || t.rounds > 0 || g.Ledger == nil || t.call.Target.ReadOnly || t.call.Method != mcpwire.MethodToolsCall {
		return nil
	}
	args, err := t.argsDigest()
	if err != nil {
		return err
	}
	c := t.call
	key := approval.Digest("approval", c.Agent.Name, t.approval)
	if slices.Contains(t.onceKeys, key) { // it came back with the state of its question
		return nil
	}
	claim, _, err := g.Ledger.Claim(ctx, once.Ask{Agent: c.Agent.Name, Call: c.ID, Args: args, Key: key, Mode: once.Always, Keep: t.plan.once().KeyWindow, Left: t.left(ctx)})
	if err == nil && claim != nil {
		t.claims = append(t.claims, claim)
	}
	return err
}

// conclude says how a claimed call ended, before its caller hears of it.
func (g *Gateway) conclude(ctx context.Context, t *transit, reply durward.Reply, err error) {
	if len(t.claims) == 0 {
		return
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWait)
	defer cancel()
	left := t.left(ctx)
	for _, c := range t.claims {
		switch {
		case !t.asked || t.waits || neverSent(err):
			c.Release()
			continue
		case err != nil:
			c.Done(keep, durward.Reply{}, false)
		default:
			c.Done(keep, reply, true)
		}
		if !left() {
			c.Delivered()
		}
	}
	claims := t.claims
	t.claims = nil
	t.call.Lost = func() {
		for _, c := range claims {
			c.Lost()
		}
	}
}

// recordWait bounds how long an answer waits for what is remembered of it.
const recordWait = 30 * time.Second

// abandon leaves no claim open, whatever broke: a call that may have been made is unknown.
func (t *transit) abandon() {
	for _, c := range t.claims {
		if t.asked {
			c.Done(context.Background(), durward.Reply{}, false)
		} else {
			c.Release()
		}
	}
	t.claims = nil
}

// neverSent tells an error of which it is certain that the upstream did not
// hear of the call.
func neverSent(err error) bool {
	if err == nil {
		return false
	}
	var dial *net.OpError
	var start *exec.Error
	switch durward.AsError(err).Reason {
	case durward.ReasonCapabilityMissing, durward.ReasonOverloaded:
		return true
	}
	return errors.Is(err, upstream.ErrNotMade) || errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &start) || errors.Is(err, fs.ErrNotExist)
}
