package control

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/identity"
)

const (
	// DefaultOverlap is how long the old keys of an agent stay good after a
	// rotation, so that a running agent can be given the new one.
	DefaultOverlap = 24 * time.Hour

	maxOverlap  = 90 * 24 * time.Hour
	maxLiveKeys = 16                  // of one agent
	keptEnded   = 90 * 24 * time.Hour // how long an ended key is told from an unknown one
)

// Key is a key as operators see it: nothing of its secret but the hint.
type Key struct {
	ID      string         `json:"id"`
	Agent   string         `json:"agent,omitempty"`
	Admin   bool           `json:"admin,omitempty"`
	Name    string         `json:"name,omitempty"`  // of the operator
	Owner   string         `json:"owner,omitempty"` // who made it
	Hint    string         `json:"hint,omitempty"`
	State   string         `json:"state"` // live, expiring (has an end), expired, revoked
	Created time.Time      `json:"created,omitzero"`
	Expires time.Time      `json:"expires,omitzero"`
	Revoked time.Time      `json:"revoked,omitzero"`
	Origin  durward.Origin `json:"origin"`
}

// Minted is a new key with its secret, shown this once. It is not to be logged.
type Minted struct {
	Agent  string `json:"agent,omitempty"`
	Key    Key    `json:"key,omitzero"`
	Secret string `json:"secret,omitempty"` // empty when no key was wanted
	// Ends is when the agent's older keys end, after a rotation that ended any.
	Ends time.Time `json:"ends,omitzero"`
}

// String hides the secret from logs and errors.
func (m Minted) String() string { return "key " + m.Key.ID + " of " + m.Agent }

// GoString hides the secret from %#v.
func (m Minted) GoString() string { return m.String() }

// LogValue hides the secret from slog.
func (m Minted) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Rotation is what is wanted of [Control.RotateKey].
type Rotation struct {
	// Overlap is how long the old keys stay good; zero ends them at once.
	Overlap time.Duration
	// Expires is when the new key ends; zero is never.
	Expires time.Time
}

// RotateKey mints a new key for an agent and lets the old ones end after an
// overlap.
func (c *Control) RotateKey(ctx context.Context, by durward.Actor, agent string, r Rotation) (Minted, error) {
	if r.Overlap < 0 || r.Overlap > maxOverlap {
		return Minted{}, bad("The overlap is between 0 and %d days.", int(maxOverlap/(24*time.Hour)))
	}
	var out Minted
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		a, err := m.agent(agent)
		if err != nil {
			return nil, err
		}
		if a.Disabled {
			return nil, conflict(fmt.Sprintf("Agent %s is disabled; enable it first: durward agent enable %s.", agent, agent), nil)
		}
		if err := m.keysAreStored(agent); err != nil {
			return nil, err
		}
		k, err := c.mint(m, &out, agent, r.Expires)
		if err != nil {
			return nil, err
		}
		changes := m.endKeys(agent, r.Overlap)
		if len(changes) > 0 {
			out.Ends = m.after(r.Overlap)
		}
		k.Owner = by.Name
		return append(append(changes, m.forgetKeys(agent)...), durward.Change{PutKey: k}), nil
	})
	if err != nil {
		return Minted{}, err
	}
	return out, nil
}

// forgetKeys drops keys that ended long ago, so that years of rotation do not
// pile up.
func (m *moment) forgetKeys(agent string) (changes []durward.Change) {
	for _, k := range m.keysOf(agent) {
		end := k.Expires
		if !k.Revoked.IsZero() {
			end = k.Revoked
		}
		if k.Origin == durward.FromStore && !end.IsZero() && m.now.Sub(end) > keptEnded {
			changes = append(changes, durward.Change{DeleteKey: k.ID})
		}
	}
	return changes
}

// endKeys lets the live keys of an agent end after the overlap; none lives
// longer by it.
func (m *moment) endKeys(agent string, overlap time.Duration) (changes []durward.Change) {
	end := m.after(overlap)
	for _, k := range m.keysOf(agent) {
		if !live(k, m.now) {
			continue
		}
		if overlap == 0 {
			k.Revoked = m.now
		} else if k.Expires.IsZero() || k.Expires.After(end) {
			k.Expires = end
		} else {
			continue
		}
		changes = append(changes, durward.Change{PutKey: &k})
	}
	return changes
}

// after is the end of what lasts at least d from now, in whole seconds.
func (m *moment) after(d time.Duration) time.Time {
	return m.exact.Add(d + time.Second - 1).Truncate(time.Second)
}

// RevokeKey ends one key at once, an agent's or an operator's.
func (c *Control) RevokeKey(ctx context.Context, by durward.Actor, id string) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		i := slices.IndexFunc(m.all.Keys, func(k durward.Key) bool { return k.ID == id })
		if i < 0 {
			return nil, missing("key", id, nil)
		}
		k := m.all.Keys[i]
		if k.Origin == durward.FromFile {
			return nil, m.readOnly("Key", id)
		}
		if !k.Revoked.IsZero() {
			return nil, nil
		}
		k.Revoked = m.now
		return []durward.Change{{PutKey: &k}}, nil
	})
}

// CreateAdminKey mints a key of the operator of that name: it opens the admin API and nothing else.
func (c *Control) CreateAdminKey(ctx context.Context, by durward.Actor, name string, expires time.Time) (Minted, error) {
	if name != "" && (durward.CheckAgentName(name) != nil || name == "local") {
		return Minted{}, bad("%q cannot be an operator's name: use letters, digits, '.', '_' and '-', and not local.", name)
	}
	if name != "" && by.Name != name && by.Name != "local" {
		return Minted{}, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed,
			Message: "An operator makes keys for itself only; on the gateway's own machine its user makes them for others."}
	}
	var out Minted
	noted := name == ""
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		if name != "" && by.Name != name && slices.ContainsFunc(m.file.Keys, func(k durward.Key) bool { return k.Admin && k.Name == name }) {
			return nil, m.readOnly("Operator", name)
		}
		k, err := c.mint(m, &out, "", expires)
		if err != nil {
			return nil, err
		}
		if !noted { // who could have answered in whose name is to be found out later
			if err := c.o.Note(ctx, by.Name, "operator/key", "operator:"+name, ""); err != nil {
				return nil, err
			}
			noted = true
		}
		k.Name, k.Owner, k.Created = name, by.Name, m.exact // what was asked before counts without it
		out.Key.Name = name
		return []durward.Change{{PutKey: k}}, nil
	})
	if err != nil {
		return Minted{}, err
	}
	return out, nil
}

// AdminKeys lists the operators' keys.
func (c *Control) AdminKeys(ctx context.Context, by durward.Actor) ([]Key, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return nil, err
	}
	out := []Key{}
	for _, k := range m.all.Keys {
		if k.Admin {
			out = append(out, m.keyView(k))
		}
	}
	return out, nil
}

// Authenticate tells which operator presents a secret. Every refusal is the
// same, so that it tells nothing.
func (c *Control) Authenticate(ctx context.Context, secret durward.Credential) (durward.Actor, error) {
	refused := &durward.Error{Code: durward.Unauthenticated, Reason: durward.ReasonKeyUnknown, Message: "An operator's key is needed."}
	if secret.IsZero() {
		return durward.Actor{}, refused
	}
	state, err := c.o.Store.State(ctx)
	if err != nil {
		refused.Err = err
		return durward.Actor{}, refused
	}
	file, _ := c.o.File()
	if file == nil {
		file = &durward.Snapshot{}
	}
	// What is compared is an HMAC under the pepper, so time tells nothing of the secret.
	hash, now := identity.Hash(c.o.Pepper, secret.Reveal()), c.o.Now()
	for _, k := range slices.Concat(file.Keys, state.Keys) {
		if k.Admin && k.Hash == hash && live(k, now) {
			name := k.Name
			if name == "" {
				name = "key " + k.ID
			}
			return durward.Actor{Name: name, Key: k.ID, Since: k.Created, Operator: true}, nil
		}
	}
	return durward.Actor{}, refused
}

// mint makes a key for an agent, or for an operator when agent is "".
func (c *Control) mint(m *moment, out *Minted, agent string, expires time.Time) (*durward.Key, error) {
	if !expires.IsZero() && !expires.After(m.now) {
		return nil, bad("A key that has already expired is of no use; choose a later time.")
	}
	living := 0
	for _, k := range m.keysOf(agent) {
		if live(k, m.now) {
			living++
		}
	}
	if living >= maxLiveKeys {
		return nil, conflict(fmt.Sprintf("There are %d live keys already; revoke some first.", living), nil)
	}
	secret, k := identity.Mint(c.o.Pepper, m.now)
	k.Agent, k.Admin, k.Expires, k.Origin = agent, agent == "", expires.UTC(), durward.FromStore
	*out = Minted{Agent: agent, Key: m.keyView(k), Secret: secret}
	return &k, nil
}

// keysOf are the keys of an agent, of operators for "", oldest first.
func (m *moment) keysOf(agent string) []durward.Key {
	var out []durward.Key
	for _, k := range m.all.Keys {
		if k.Agent == agent {
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out, func(a, b durward.Key) int {
		if n := a.Created.Compare(b.Created); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

func (m *moment) keysAreStored(agent string) error {
	for _, k := range m.keysOf(agent) {
		if k.Origin == durward.FromFile {
			return m.readOnly("A key of agent", agent)
		}
	}
	return nil
}

func (m *moment) keyView(k durward.Key) Key {
	return Key{
		ID: k.ID, Agent: k.Agent, Admin: k.Admin, Name: k.Name, Owner: k.Owner, Hint: k.Hint, State: keyState(k, m.now),
		Created: k.Created, Expires: k.Expires, Revoked: k.Revoked, Origin: k.Origin,
	}
}

func live(k durward.Key, now time.Time) bool {
	s := keyState(k, now)
	return s == "live" || s == "expiring"
}

func keyState(k durward.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case k.Expires.IsZero():
		return "live"
	case now.Before(k.Expires):
		return "expiring"
	}
	return "expired"
}
