package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"durward"
)

// Clash is a stored thing that is not in use because the file declares
// something that excludes it.
type Clash struct {
	Kind string `json:"kind"` // agent, key, role, upstream
	Name string `json:"name"`
	Text string `json:"text"`
}

// String is the clash as a sentence for the log.
func (c Clash) String() string { return c.Kind + " " + c.Name + ": " + c.Text }

// Merge puts together what a file declares and what the store holds. Where
// they exclude each other the file wins and the clash is reported. file may be
// nil. Neither argument is changed; each list is in order of names.
func Merge(file *durward.Snapshot, state *durward.State) (*durward.Snapshot, []Clash) {
	if file == nil {
		file = &durward.Snapshot{}
	}
	s := *file
	s.Revision = state.Revision
	var m merger
	s.Agents = mergeAgents(&m, file.Agents, state.Agents)
	s.Keys = mergeKeys(&m, file.Keys, state.Keys, shadowed(file.Agents, state.Agents))
	s.Roles = mergeRoles(&m, file.Roles, state.Roles)
	s.Upstreams = mergeUpstreams(&m, file.Upstreams, state.Upstreams)
	s.Pins = mergePins(file.Pins, state.Pins)
	s.Halts = state.Halts
	return &s, m.clashes
}

type merger struct{ clashes []Clash }

func (m *merger) clash(kind, name, format string, args ...any) {
	m.clashes = append(m.clashes, Clash{Kind: kind, Name: name, Text: fmt.Sprintf(format, args...)})
}

func mergeAgents(m *merger, file, stored []durward.Agent) []durward.Agent {
	out := slices.Clone(file)
	anonymous := slices.IndexFunc(file, func(a durward.Agent) bool { return a.Anonymous })
	taken := make(map[string]string, len(file))
	for _, a := range file {
		taken[strings.ToLower(a.Name)] = a.Name
	}
	for _, a := range stored {
		if other, ok := taken[strings.ToLower(a.Name)]; ok {
			m.clash("agent", a.Name, "the file declares %s; what is stored of it is not used", other)
			continue
		}
		if a.Anonymous && anonymous >= 0 {
			m.clash("agent", a.Name, "the file declares %s as the anonymous agent; there can be one", file[anonymous].Name)
			continue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b durward.Agent) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// shadowed are the stored agents that the file declares anew. What was minted
// for the one must not open the other.
func shadowed(file, stored []durward.Agent) map[string]bool {
	out := make(map[string]bool)
	for _, a := range stored {
		if slices.ContainsFunc(file, func(f durward.Agent) bool { return strings.EqualFold(f.Name, a.Name) }) {
			out[a.Name] = true
		}
	}
	return out
}

func mergeKeys(m *merger, file, stored []durward.Key, shadowed map[string]bool) []durward.Key {
	out := slices.Clone(file)
	taken := make(map[[32]byte]string, len(file))
	for _, k := range file {
		taken[k.Hash] = k.ID
	}
	for _, k := range stored {
		if other, ok := taken[k.Hash]; ok {
			m.clash("key", k.ID, "the file declares the same secret (key %s)", other)
			continue
		}
		if shadowed[k.Agent] {
			m.clash("key", k.ID, "it was minted for the stored agent %s, which the file declares anew; mint another", k.Agent)
			continue
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b durward.Key) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func mergeRoles(m *merger, file, stored []durward.Role) []durward.Role {
	out := slices.Clone(file)
	for _, r := range stored {
		if slices.ContainsFunc(file, func(f durward.Role) bool { return f.Name == r.Name }) {
			m.clash("role", r.Name, "the file declares it; what is stored of it is not used")
			continue
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b durward.Role) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func mergeUpstreams(m *merger, file, stored []durward.Upstream) []durward.Upstream {
	out := slices.Clone(file)
	for _, u := range stored {
		i := slices.IndexFunc(file, func(f durward.Upstream) bool { return durward.UpstreamNamesClash(f.Name, u.Name) })
		if i >= 0 {
			m.clash("upstream", u.Name, "the file declares %s; what is stored of it is not used", file[i].Name)
			continue
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b durward.Upstream) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// mergePins takes the pins of an upstream from the file (a lock) where it has
// any. What is stored beside them is history, and no clash.
func mergePins(file, stored []durward.Pin) []durward.Pin {
	locked := make(map[string]bool)
	for i := range file {
		locked[file[i].Upstream] = true
	}
	out := slices.Clone(file)
	for i := range stored {
		if !locked[stored[i].Upstream] {
			out = append(out, stored[i])
		}
	}
	return out
}

// Mark identifies what a file declares: equal declarations have equal marks,
// however they are written.
func Mark(name string, file *durward.Snapshot) durward.FileMark {
	if file == nil {
		return durward.FileMark{}
	}
	text, err := json.Marshal(file)
	if err != nil { // plain data always marshals
		panic(err)
	}
	sum := sha256.Sum256(text)
	return durward.FileMark{Name: name, Digest: hex.EncodeToString(sum[:])}
}
