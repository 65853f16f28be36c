package control

import (
	"slices"

	"durward"
)

// preview is the state as it would be after the changes.
func preview(s *durward.State, changes []durward.Change) *durward.State {
	out := &durward.State{
		Revision:  s.Revision,
		Agents:    slices.Clone(s.Agents),
		Keys:      slices.Clone(s.Keys),
		Roles:     slices.Clone(s.Roles),
		Upstreams: slices.Clone(s.Upstreams),
		Pins:      slices.Clone(s.Pins),
		Halts:     slices.Clone(s.Halts),
		File:      s.File,
	}
	pins := map[durward.PinKey]int{}
	for i := range out.Pins {
		pins[out.Pins[i].Key()] = i
	}
	for _, c := range changes {
		switch {
		case c.PutPin != nil:
			if i, ok := pins[c.PutPin.Key()]; ok {
				out.Pins[i] = *c.PutPin
				continue
			}
			pins[c.PutPin.Key()] = len(out.Pins)
			out.Pins = append(out.Pins, *c.PutPin)
		case c.PutAgent != nil:
			out.Agents = put(out.Agents, *c.PutAgent, func(a durward.Agent) string { return a.Name })
		case c.PutKey != nil:
			out.Keys = put(out.Keys, *c.PutKey, func(k durward.Key) string { return k.ID })
		case c.DeleteKey != "":
			out.Keys = slices.DeleteFunc(out.Keys, func(k durward.Key) bool { return k.ID == c.DeleteKey })
		case c.PutRole != nil:
			out.Roles = put(out.Roles, *c.PutRole, func(r durward.Role) string { return r.Name })
		case c.PutUpstream != nil:
			out.Upstreams = put(out.Upstreams, *c.PutUpstream, func(u durward.Upstream) string { return u.Name })
		case c.PutHalt != nil:
			out.Halts = put(out.Halts, *c.PutHalt, durward.Halt.ID)
		case c.DeleteHalt != "":
			out.Halts = slices.DeleteFunc(out.Halts, func(h durward.Halt) bool { return h.ID() == c.DeleteHalt })
		case c.DeleteAgent != "":
			out.Agents = slices.DeleteFunc(out.Agents, func(a durward.Agent) bool { return a.Name == c.DeleteAgent })
			out.Keys = slices.DeleteFunc(out.Keys, func(k durward.Key) bool { return k.Agent == c.DeleteAgent })
		case c.DeleteRole != "":
			out.Roles = slices.DeleteFunc(out.Roles, func(r durward.Role) bool { return r.Name == c.DeleteRole })
		case c.DeleteUpstream != "":
			out.Upstreams = slices.DeleteFunc(out.Upstreams, func(u durward.Upstream) bool { return u.Name == c.DeleteUpstream })
			for i := range out.Pins {
				if out.Pins[i].Upstream == c.DeleteUpstream {
					out.Pins[i].Digest, out.Pins[i].Proposal = "", nil // approves nothing, like none
				}
			}
		}
	}
	return out
}

func put[T any](list []T, one T, name func(T) string) []T {
	i := slices.IndexFunc(list, func(t T) bool { return name(t) == name(one) })
	if i < 0 {
		return append(list, one)
	}
	list[i] = one
	return list
}
