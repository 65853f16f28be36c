package config

import (
	"maps"
	"slices"

	"durward"
)

// guard gathers how calls are inspected.
func (b *builder) guard() {
	in := &b.in.Guard
	b.out.Guard = durward.Guard{
		GuardScope:   b.guardScope("guard", in.guardScope),
		Spotlight:    string(in.Spotlight),
		Conversation: string(in.Conversation),
		Idle:         in.Idle.value(),
		Egress:       int64(in.Egress),
		Quarantine:   in.Quarantine.value(),
		Classifier: durward.GuardClassifier{
			URL: string(in.Classifier.URL), Headers: textMap(in.Classifier.Headers), Timeout: in.Classifier.Timeout.value(),
			Fail: string(in.Classifier.Fail), Carriers: texts(in.Classifier.Carriers),
			From: int(in.Classifier.From), To: int(in.Classifier.To),
		},
	}
	out := &b.out.Guard
	out.Honeytokens = texts(in.Honeytokens)
	out.Upstreams = b.guardUpstreams("guard.upstreams", in.Upstreams)
	out.Tools = b.guardUpstreams("guard.tools", in.Tools)
	for _, n := range slices.Sorted(maps.Keys(in.Agents)) {
		enter(&out.Agents, n, b.guardScope(join("guard.agents", n), in.Agents[n]))
	}
	if in.Mode == "off" {
		b.warn(b.keyNode("guard.mode"), "guard.mode", "is off: no call is inspected", "write observe to inspect without acting")
	}
	b.guardNames(in)
	b.classifier(&out.Classifier)
}

// guardNames finds parts that nothing belongs to.
func (b *builder) guardNames(in *guard) {
	for _, n := range slices.Sorted(maps.Keys(in.Tools)) {
		if err := durward.CheckPattern(n); err != nil {
			b.failAt(join("guard.tools", n), "is not a pattern: "+err.Error(), "write it as files__read_*")
		}
	}
	var ups, agents []string
	for _, u := range b.out.Upstreams {
		ups = append(ups, u.Name)
	}
	for _, a := range b.out.Agents {
		agents = append(agents, a.Name)
	}
	b.undeclared("guard.upstreams", "upstream", slices.Sorted(maps.Keys(in.Upstreams)), ups)
	b.undeclared("guard.agents", "agent", slices.Sorted(maps.Keys(in.Agents)), agents)
}

// undeclared warns of names that the file does not declare; the store may.
func (b *builder) undeclared(section, kind string, names, known []string) {
	for _, n := range names {
		if slices.Contains(known, n) {
			continue
		}
		hint := "unless the store has it, this is for nothing"
		if near := durward.Closest(n, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		at := join(section, n)
		b.warn(b.keyNode(at), at, kind+" "+shown(n)+" is not declared in this file", hint)
	}
}

func (b *builder) classifier(c *durward.GuardClassifier) {
	if c.From > 100 || c.To > 100 || c.To > 0 && c.From > c.To {
		b.failAt("guard.classifier", "from and to are not percentages in order", "write from: 10, to: 90")
	}
}

func (b *builder) guardUpstreams(section string, in map[string]guardUpstream) (out map[string]durward.GuardScope) {
	for _, n := range slices.Sorted(maps.Keys(in)) {
		u := in[n]
		s := b.guardScope(join(section, n), u.guardScope)
		s.Trust, s.Data, s.Effect = string(u.Trust), string(u.Data), string(u.Effect)
		s.To, s.Restore = texts(u.To), bool(u.Restore)
		enter(&out, n, s)
	}
	return out
}

func (b *builder) guardScope(at string, in guardScope) durward.GuardScope {
	s := durward.GuardScope{Mode: string(in.Mode)}
	for _, n := range slices.Sorted(maps.Keys(in.Rules)) {
		b.known(join(join(at, "rules"), n), n, "rule", b.o.Rules)
		enter(&s.Rules, n, string(in.Rules[n]))
	}
	for _, n := range slices.Sorted(maps.Keys(in.Vectors)) {
		b.known(join(join(at, "vectors"), n), n, "vector", b.o.Vectors)
		enter(&s.Vectors, n, string(in.Vectors[n]))
	}
	return s
}

// known refuses names that the guard does not have.
func (b *builder) known(at, name, kind string, names []string) {
	if names == nil || slices.Contains(names, name) {
		return
	}
	hint := "durward guard rules lists them"
	if near := durward.Closest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	b.failAt(at, "is no "+kind+" of the guard", hint)
}

func enter[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
