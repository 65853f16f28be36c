package notary

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// approved is a pinned tool as the guard compares others with it.
func approved(upstream, name string, definition []byte, firstSight bool) guard.Approved {
	description, _ := mcpwire.FieldText(definition, "description")
	return guard.Approved{Server: upstream, Name: name, Description: description, FirstSight: firstSight, Privileged: guard.Privileged(name, definition)}
}

// lookalike reports findings about the name of a tool and that of another.
func lookalike(f durward.Finding) bool {
	return f.Rule == "shadow.disguise" || f.Rule == "shadow.copy" && !collision(f)
}

// contested notes a new tool that is withheld for its name, so that the one
// that it looks like is held against it in turn: that one may have come first
// by chance.
func (c *session) contested(o *Opinion) {
	const most = 1000 // of one upstream, whatever names it thinks of
	if o.Seen.Kind == durward.PinTool && len(c.claims) < most && slices.ContainsFunc(o.Standing.Findings, lookalike) {
		t := approved(o.Seen.Upstream, o.Seen.Name, o.Raw, true)
		t.Claim = true
		c.claims = append(c.claims, t)
	}
}

func (c *session) claim() { c.notary.claimed(c.offer.Upstream, c.claims) }

// claimed takes over the claims of an upstream. Called with n.mu held.
func (n *Notary) claimed(upstream string, claims []guard.Approved) {
	if slices.Equal(n.claims[upstream], claims) {
		return
	}
	n.stirs++
	if n.claims[upstream] = claims; len(claims) == 0 {
		delete(n.claims, upstream)
	}
}

// Stirs changes when a judgement bears on others that were made before.
func (n *Notary) Stirs() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stirs
}

// among tells readings apart by what the tool came with.
func (c *session) among(incumbent bool) string {
	if c.names == nil {
		c.names = make(map[string]bool, len(c.offer.Tools))
		for _, raw := range c.offer.Tools {
			if name, ok := mcpwire.FieldText(raw, "name"); ok {
				c.names[strings.ToLower(name)] = true
			}
		}
		sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(c.names)), "\x00")))
		c.with = string(sum[:])
	}
	if incumbent {
		return c.with + "+"
	}
	return c.with
}
