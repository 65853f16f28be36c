package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"durward"
)

// maxHalts bounds what is stopped at a time; beyond it, stop all.
const maxHalts = 10_000

// Kill is what is wanted of [Control.Kill].
type Kill struct {
	// Name is an agent, the id of a key, or a live session; "" with All.
	Name string `json:"name,omitempty"`
	All  bool   `json:"all,omitempty"`
	// By is the person who asks, beside the credential.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Kind fixes what Name is; found out when empty.
	Kind durward.HaltKind `json:"kind,omitempty"`
	// Cause is ReasonKilled when empty.
	Cause durward.Reason `json:"-"`
}

// Halts lists what is stopped.
func (c *Control) Halts(ctx context.Context, by durward.Actor) ([]durward.Halt, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return nil, err
	}
	return append(append([]durward.Halt{}, m.state.Halts...), c.o.Stops.Unstored()...), nil
}

// Kill stops an agent, key or session, or all, until somebody releases it. It
// is in force when Kill returns: calls under way are being cancelled. A record
// that cannot be written keeps nothing from being stopped, nor does a store: then
// the error says that it is in force and may be forgotten in a restart.
func (c *Control) Kill(ctx context.Context, by durward.Actor, k Kill) (durward.Halt, error) {
	var h durward.Halt
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		var err error
		if h, err = c.haltOf(m, k); err != nil {
			return nil, err
		}
		if h.Cause = k.Cause; h.Cause == "" {
			h.Cause = durward.ReasonKilled
		}
		h.By, h.Reason, h.Since = person(by, k.By), words(k.Reason), m.now
		if len(m.state.Halts) >= maxHalts {
			return nil, conflict("Too much is stopped already; stop all, or release some.", nil)
		}
		return []durward.Change{{PutHalt: &h}}, nil
	})
	if err != nil {
		return c.stopUnstored(ctx, h, err)
	}
	if err := c.o.Note(ctx, h.By, "operator/kill", h.ID(), h.Reason); err != nil {
		return h, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonRecordUnavailable, Message: fmt.Sprintf("%s is stopped, but the record of it could not be written.", h.ID()), Err: err}
	}
	return h, nil
}

// stopUnstored stops what was decided on but could not be stored, if that is the trouble.
func (c *Control) stopUnstored(ctx context.Context, h durward.Halt, why error) (durward.Halt, error) {
	if h.Kind == "" || (durward.AsError(why).Code != durward.Unavailable && !errors.Is(why, durward.ErrStale)) {
		return durward.Halt{}, why
	}
	if err := c.o.Stops.Stop(h); err != nil {
		return durward.Halt{}, why
	}
	msg := fmt.Sprintf("%s is stopped, and what it had under way is cancelled, but this could not be stored: it holds until the gateway restarts. The gateway keeps trying to store it.", h.ID())
	if err := c.o.Note(ctx, h.By, "operator/kill", h.ID(), h.Reason); err != nil {
		msg += " The record of it could not be written either."
	}
	return h, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: msg, Err: why}
}

// haltOf finds out what is meant.
func (c *Control) haltOf(m *moment, k Kill) (durward.Halt, error) {
	if k.All {
		if k.Name != "" {
			return durward.Halt{}, bad("Stop either all or %s.", k.Name)
		}
		return durward.Halt{Kind: durward.HaltAll}, nil
	}
	is := func(kind durward.HaltKind) bool { return k.Kind == "" || k.Kind == kind }
	if k.Name == "" {
		return durward.Halt{}, bad("Say what to stop: an agent, a key or a session, or all.")
	}
	known := make([]string, 0, len(m.all.Agents))
	for _, a := range m.all.Agents {
		if known = append(known, a.Name); a.Name == k.Name && is(durward.HaltAgent) {
			return durward.Halt{Kind: durward.HaltAgent, Name: a.Name, Agent: a.Name}, nil
		}
	}
	for _, key := range m.all.Keys {
		if key.ID == k.Name && !key.Admin && is(durward.HaltKey) {
			return durward.Halt{Kind: durward.HaltKey, Name: key.ID, Agent: key.Agent}, nil
		}
	}
	if agent, ok := c.o.Session(k.Name); ok && is(durward.HaltSession) {
		return durward.Halt{Kind: durward.HaltSession, Name: k.Name, Agent: agent}, nil
	}
	return durward.Halt{}, missing("agent, key or live session", k.Name, known)
}

// Release is what is wanted of [Control.Release].
type Release struct {
	// Name is an agent, key or session that is stopped, or the ID of the halt;
	// "all" for the global stop.
	Name string `json:"name"`
	// By is the person who answers for it, Reason why. Both are needed; a named
	// operator's key says by itself who it is.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
}

// Release lets go on what was stopped. Who does it and why is in the record
// first.
func (c *Control) Release(ctx context.Context, by durward.Actor, r Release) (durward.Halt, error) {
	switch {
	case strings.TrimSpace(r.Reason) == "":
		return durward.Halt{}, bad("Say why it is released.")
	case strings.TrimSpace(r.By) == "" && !by.Named():
		return durward.Halt{}, bad("Say who releases it (--by NAME), or use the key of a named operator.")
	}
	if err := c.o.Stops.StoreStops(ctx); err != nil {
		return durward.Halt{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "The state cannot be stored at the moment, so nothing can be released.", Err: err}
	}
	var h durward.Halt
	noted := false
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		i := slices.IndexFunc(m.state.Halts, func(h durward.Halt) bool { return h.ID() == r.Name || h.Name == r.Name && r.Name != "" })
		if i < 0 { // an agent whose key or session is stopped
			i = slices.IndexFunc(m.state.Halts, func(h durward.Halt) bool { return h.Agent == r.Name && r.Name != "" })
		}
		if i < 0 {
			return nil, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: fmt.Sprintf("Nothing named %q is stopped.", r.Name)}
		}
		h = m.state.Halts[i]
		if !noted {
			if err := c.o.Note(ctx, person(by, r.By), "operator/release", h.ID(), words(r.Reason)); err != nil {
				return nil, err
			}
			noted = true
		}
		return []durward.Change{{DeleteHalt: h.ID()}}, nil
	})
	return h, err
}

// person names who acts: the credential, and who says to be behind it.
func person(by durward.Actor, name string) string {
	if name = words(name); name == "" {
		return by.Name
	}
	return name + " (" + by.Name + ")"
}

// words is a text of people, bounded and on one line.
func words(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(text), "?"))
	if len(text) > 400 {
		text = strings.ToValidUTF8(text[:400], "")
	}
	return text
}
