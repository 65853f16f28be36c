package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"durward"
)

// builder turns what was read into a Config and finds what is wrong between
// the parts of the file.
type builder struct {
	*reader
	dir string
	o   Options
	in  file
	out Config
}

func (b *builder) readFile(root *yaml.Node) {
	b.read(root, reflect.ValueOf(&b.in).Elem(), "", "")
}

// sealKey is the secret of the store: the file's, else the environment's.
func (b *builder) sealKey() durward.Credential {
	key := b.in.SealKey
	if given, _ := b.o.Env(sealVar); key == "" && given != "" {
		if no := key.parse(given); no != nil {
			b.problems = append(b.problems, Problem{Path: sealVar, Text: no.text})
		}
	}
	return durward.NewCredential(string(key))
}

const sealVar = "DURWARD_SEAL_KEY"

// flags checks what replaces a part of the file as that would be.
func (b *builder) flags() {
	for _, f := range []struct{ name, value string }{{"--listen", b.o.Listen}, {"--admin-listen", b.o.AdminListen}} {
		var v address
		if f.value == "" {
			continue
		}
		if no := v.parse(f.value); no != nil {
			b.problems = append(b.problems, Problem{Path: f.name, Text: shown(f.value) + " " + no.text, Hint: no.hint})
		}
	}
}

func (b *builder) build() *Config {
	in := &b.in
	b.flags()
	b.out = Config{
		Listen:      first(b.o.Listen, string(in.Listen)),
		AdminListen: first(b.o.AdminListen, string(in.Admin.Listen)),
		Data:        first(b.o.Data, relative(b.dir, string(in.Data))),
		Arguments:   argumentsMode(in.Guard),
		Record:      string(in.Record.Arguments),
		Reads:       string(in.Record.Reads),
		RecordMode:  string(in.Record.Mode),
		Results:     string(in.Record.Results),
		Evidence:    string(in.Record.Evidence),
		Guarding:    in.Guard.guarding(),
		Lock:        relative(b.dir, string(in.Lock)),
		SealKey:     b.sealKey(),
		Log:         Log{Level: string(in.Log.Level), Format: string(in.Log.Format)},
		Limits: Limits{
			Body:          int64(in.Limits.Body),
			Headers:       int64(in.Limits.Headers),
			HeaderTimeout: in.Limits.HeaderTimeout.value(),
			BodyTimeout:   in.Limits.BodyTimeout.value(),
			IdleTimeout:   in.Limits.IdleTimeout.value(),
			DrainTimeout:  in.Limits.DrainTimeout.value(),
			Sessions:      int(in.Limits.Sessions),
			SessionIdle:   in.Limits.SessionIdle.value(),
			Memory:        int64(in.Limits.Memory),
		},
		AllowedOrigins: texts(in.AllowedOrigins),
		AllowedHosts:   texts(in.AllowedHosts),
		read:           *in,
	}
	b.listeners()
	b.upstreams()
	b.roles()
	b.agents()
	b.approvals()
	b.once()
	b.policy()
	b.anonymous()
	b.keys()
	b.guard()
	b.limits()
	b.runaways()
	b.lock()
	b.record()
	b.audit()
	return &b.out
}

// argumentsMode maps the guard's mode on the one inspection that there is.
func argumentsMode(g guard) string {
	switch {
	case g.Arguments != "":
		return string(g.Arguments)
	case g.Mode == "observe" || g.Mode == "flag":
		return "report"
	}
	return "enforce"
}

func (b *builder) listeners() {
	if b.out.Listen == b.out.AdminListen && !strings.HasSuffix(b.out.Listen, ":0") {
		b.failAt("admin.listen", "is the same address as listen", "agents and operators connect to different ones")
	}
}

func (b *builder) roles() {
	for _, n := range slices.Sorted(maps.Keys(b.in.Roles)) {
		at := join("roles", n)
		if err := durward.CheckRoleName(n); err != nil {
			b.failAt(at, err.Error(), "")
		}
		r := b.in.Roles[n]
		b.knownUpstreams(at+".allow", r.Allow)
		b.knownUpstreams(at+".deny", r.Deny)
		b.knownUpstreams(at+".hold", r.Hold)
		b.out.Roles = append(b.out.Roles, durward.Role{Name: n, Allow: texts(r.Allow), Deny: texts(r.Deny), Hold: texts(r.Hold)})
	}
}

func (b *builder) agents() {
	names := slices.Sorted(maps.Keys(b.in.Agents))
	folded := map[string]string{}
	for _, n := range names {
		at := join("agents", n)
		if err := durward.CheckAgentName(n); err != nil {
			b.failAt(at, err.Error(), "")
		}
		if other, ok := folded[strings.ToLower(n)]; ok {
			b.failAt(at, "differs from agent "+other+" only in case", "")
		}
		folded[strings.ToLower(n)] = n
		a := b.in.Agents[n]
		b.knownRoles(at, a.Roles)
		b.out.Agents = append(b.out.Agents, durward.Agent{
			Name: n, Roles: texts(a.Roles), Anonymous: bool(a.Anonymous), Disabled: bool(a.Disabled), Owner: string(a.Owner),
			Compat: durward.Compat(a.Compat), Origin: durward.FromFile,
		})
		for _, k := range a.Key {
			b.out.Keys = append(b.out.Keys, Key{Agent: n, Secret: durward.NewCredential(string(k))})
		}
	}
	for _, k := range b.in.Admin.Key {
		b.out.Keys = append(b.out.Keys, Key{Admin: true, Secret: durward.NewCredential(string(k))})
	}
	for _, n := range slices.Sorted(maps.Keys(b.in.Admin.Operators)) {
		if err := durward.CheckAgentName(n); err != nil || n == "local" {
			b.failAt(join("admin.operators", n), "cannot be an operator's name", "use letters, digits, '.', '_' and '-', and not local")
		}
		for _, k := range b.in.Admin.Operators[n].Key {
			b.out.Keys = append(b.out.Keys, Key{Admin: true, Name: n, Secret: durward.NewCredential(string(k))})
		}
	}
}

// knownRoles warns of roles that the file does not declare: they may be in the
// store, and if they are not they allow nothing.
func (b *builder) knownRoles(at string, roles []name) {
	known := slices.Sorted(maps.Keys(b.in.Roles))
	for i, n := range roles {
		if slices.Contains(known, string(n)) {
			continue
		}
		hint := "unless the store has it, it allows nothing"
		if near := durward.Closest(string(n), known); near != "" {
			hint = "did you mean " + near + "?"
		}
		p := fmt.Sprintf("%s.roles[%d]", at, i)
		b.warn(b.places[p].value, p, fmt.Sprintf("role %q is not declared in this file", n), hint)
	}
}

// knownUpstreams warns of patterns that fit no upstream of the file: one that
// denies would quietly deny nothing. A file without upstreams leaves them to
// the store.
func (b *builder) knownUpstreams(at string, patterns []pattern) {
	var known []string
	for _, u := range b.out.Upstreams {
		known = append(known, u.Name)
	}
	if len(known) == 0 {
		return
	}
	for i, given := range patterns {
		pattern := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(string(given), "tool:"), "prompt:"), "resource:")
		if slices.ContainsFunc(known, func(up string) bool { return durward.PatternReaches(pattern, up) }) {
			continue
		}
		hint := "unless the store has it, the pattern never matches; patterns are UPSTREAM__NAME"
		alias, name, whole := strings.Cut(pattern, "__")
		if near := durward.Closest(alias, known); whole && near != "" {
			hint = "did you mean " + near + "__" + name + "?"
		}
		p := fmt.Sprintf("%s[%d]", at, i)
		b.warn(b.places[p].value, p, fmt.Sprintf("%q fits no upstream of this file", string(given)), hint)
	}
}

// anonymous refuses an agent without a credential where strangers can connect.
func (b *builder) anonymous() {
	first := ""
	for _, a := range b.out.Agents {
		if !a.Anonymous {
			continue
		}
		at := join(join("agents", a.Name), "anonymous")
		if first != "" {
			b.failAt(at, "agent "+first+" is anonymous already", "a caller without a credential can be one agent only")
			continue
		}
		first = a.Name
		for _, l := range []string{b.out.Listen, b.out.AdminListen} {
			if !Loopback(l) && !bool(b.in.ForceAnonymous) {
				b.failAt(at, "anybody who reaches "+l+" could call", "listen on 127.0.0.1, or say force_anonymous: true")
				break
			}
		}
	}
}

func (b *builder) keys() {
	holder := map[string]string{}
	for _, k := range b.out.Keys {
		at := "admin.key"
		if k.Name != "" {
			at = join(join("admin.operators", k.Name), "key")
		}
		if !k.Admin {
			at = join(join("agents", k.Agent), "key")
		}
		secret := k.Secret.Reveal()
		if secret == "" {
			continue // already refused
		}
		if b.o.CheckKey != nil {
			if err := b.o.CheckKey(secret); err != nil {
				b.failAt(at, err.Error(), "")
			}
		}
		if other, ok := holder[secret]; ok {
			b.failAt(at, "is the same key as "+other, "a key tells who calls, so each belongs to one agent")
		}
		holder[secret] = at
	}
}

// failAt reports a problem at the key of a path, or of the nearest part of the
// file that is there.
func (b *builder) failAt(path, text, hint string) {
	b.fail(b.keyNode(path), path, text, hint)
}

func (b *builder) keyNode(path string) *yaml.Node {
	for path != "" {
		if p, ok := b.places[path]; ok {
			return p.key
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func texts[T ~string](in []T) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
