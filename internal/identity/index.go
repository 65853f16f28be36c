package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"sync"
	"time"

	"durward"
)

// Index finds the agent of a credential. It never changes after [Compile] and
// is safe for concurrent use.
type Index struct {
	keys      map[[32]byte]entry
	agents    map[string]*durward.Agent
	anonymous *durward.Agent
	macs      sync.Pool // of *mac, keyed with the pepper
}

type entry struct {
	key   *durward.Key
	agent *durward.Agent // nil when the agent no longer exists
}

type mac struct {
	hash.Hash
	in  []byte
	sum [32]byte
}

// Compile builds the index of a snapshot's agents and keys. Operators' keys
// are left out: they open nothing on the data listener.
func Compile(pepper []byte, agents []durward.Agent, keys []durward.Key) *Index {
	x := &Index{
		keys:   make(map[[32]byte]entry, len(keys)),
		agents: make(map[string]*durward.Agent, len(agents)),
	}
	secret := append([]byte(nil), pepper...)
	x.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }
	for i := range agents {
		x.agents[agents[i].Name] = &agents[i]
		if agents[i].Anonymous {
			x.anonymous = &agents[i]
		}
	}
	for i := range keys {
		if !keys[i].Admin {
			x.keys[keys[i].Hash] = entry{key: &keys[i], agent: x.agents[keys[i].Agent]}
		}
	}
	return x
}

// Anonymous reports whether callers without a credential are an agent.
func (x *Index) Anonymous() bool { return x.anonymous != nil && !x.anonymous.Disabled }

// Verify tells who presents the credential at a moment. Without a credential
// that is the anonymous agent, if there is one. Refusals are *durward.Error
// with code Unauthenticated; a disabled agent is Forbidden.
func (x *Index) Verify(c durward.Credential, now time.Time) (*durward.Agent, *durward.Key, error) {
	if c.IsZero() {
		return x.withoutCredential()
	}
	e, known := x.lookup(c.Reveal())
	if !known {
		return nil, nil, unknown(c.Reveal())
	}
	switch {
	case !e.key.Revoked.IsZero() && !now.Before(e.key.Revoked):
		return nil, e.key, refuse(durward.ReasonKeyRevoked, "This key was revoked; ask the operator for a new one.")
	case !e.key.Expires.IsZero() && !now.Before(e.key.Expires):
		return nil, e.key, refuse(durward.ReasonKeyExpired, "This key has expired; ask the operator to rotate it.")
	case e.agent == nil || e.agent.Disabled:
		return nil, e.key, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonAgentDisabled, Message: "The agent of this key is disabled."}
	}
	return e.agent, e.key, nil
}

// Agent returns the agent of a name; local transports that were authenticated
// by the operating system use it.
func (x *Index) Agent(name string) (*durward.Agent, bool) {
	a := x.agents[name]
	return a, a != nil && !a.Disabled
}

// Known tells whether there is an agent of a name, be it disabled.
func (x *Index) Known(name string) bool { return x.agents[name] != nil }

func (x *Index) withoutCredential() (*durward.Agent, *durward.Key, error) {
	if !x.Anonymous() {
		return nil, nil, refuse(durward.ReasonCredentialMissing, "A key is needed: send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'.")
	}
	return x.anonymous, nil, nil
}

func (x *Index) lookup(secret string) (entry, bool) {
	m := x.macs.Get().(*mac)
	m.Reset()
	m.in = append(m.in[:0], secret...)
	m.Write(m.in)
	clear(m.in)
	m.Sum(m.sum[:0])
	e, ok := x.keys[m.sum]
	x.macs.Put(m)
	return e, ok
}

func unknown(secret string) error {
	if errors.Is(Check(secret), ErrMalformed) {
		return refuse(durward.ReasonKeyMalformed, "This key is mistyped or cut: its checksum is wrong.")
	}
	return refuse(durward.ReasonKeyUnknown, "This key is not known here.")
}

func refuse(r durward.Reason, msg string) error {
	return &durward.Error{Code: durward.Unauthenticated, Reason: r, Message: msg}
}
