package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"durward"
)

// upstreams gathers the upstreams of all three sections.
func (b *builder) upstreams() {
	var origins []string // paths, beside out.Upstreams
	add := func(path string, u durward.Upstream) {
		b.faults(path, &u)
		for i, other := range b.out.Upstreams {
			if durward.UpstreamNamesClash(other.Name, u.Name) {
				b.failAt(path, fmt.Sprintf("has the name %s, which cannot be told apart from that of %s", u.Name, origins[i]), "names differ in more than case and an _ at the end")
			}
		}
		b.out.Upstreams, origins = append(b.out.Upstreams, u), append(origins, path)
	}
	for _, n := range slices.Sorted(maps.Keys(b.in.Upstreams)) {
		in := b.in.Upstreams[n]
		at := join("upstreams", n)
		u := b.upstream(at, n, &in.server, in.Timeout.value())
		u.Connect, u.FirstByte = in.Connect.value(), in.FirstByte.value()
		u.Breaker = durward.Breaker{
			Disabled: bool(in.Breaker.Disabled), Percent: int(in.Breaker.Percent), Calls: int(in.Breaker.Calls),
			Window: in.Breaker.Window.value(), Open: in.Breaker.Open.value(),
		}
		if in.Breaker.Percent > 100 {
			b.failAt(at+".breaker.percent", "is more than 100", "")
		}
		add(at, u)
	}
	for _, section := range []struct {
		name    string
		servers map[string]clientServer
	}{{"mcpServers", b.in.MCPServers}, {"servers", b.in.Servers}} {
		for _, n := range slices.Sorted(maps.Keys(section.servers)) {
			at := join(section.name, n)
			if u, ok := b.clientServer(at, n, section.servers[n]); ok {
				add(at, u)
			}
		}
	}
	slices.SortFunc(b.out.Upstreams, func(x, y durward.Upstream) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
}

func (b *builder) upstream(at, name string, in *server, timeout time.Duration) durward.Upstream {
	if in.CWD != "" && in.Dir != "" && in.CWD != in.Dir {
		b.failAt(at+".dir", "differs from cwd", "keep one of them")
	}
	b.upstreamLimits(at, name, &in.Limits)
	return durward.Upstream{
		Name:       name,
		Command:    b.program(string(in.Command)),
		Args:       texts(in.Args),
		Env:        textMap(in.Env),
		Dir:        b.absolute(first(string(in.CWD), string(in.Dir))),
		URL:        string(in.URL),
		Headers:    textMap(in.Headers),
		OAuth:      signInOf(&in.OAuth),
		Transport:  b.transport(at, in),
		Era:        string(in.Era),
		Prefix:     string(in.Prefix),
		Sharing:    string(in.Sharing),
		Timeout:    timeout,
		Arguments:  string(in.Arguments),
		Record:     string(in.Record),
		FirstSight: string(in.FirstSight),
		Probe:      time.Duration(in.Probe),
		Disabled:   bool(in.Disabled),
		Origin:     durward.FromFile,
	}
}

func signInOf(in *signIn) *durward.OAuth {
	o := durward.OAuth{
		ClientID:       first(string(in.ClientID), string(in.ID)),
		ClientSecret:   first(string(in.ClientSecret), string(in.Secret)),
		ClientMetadata: string(in.ClientMetadata),
	}
	if o == (durward.OAuth{}) {
		return nil
	}
	return &o
}

// program leaves names to PATH; ./server is beside the file, wherever it runs.
func (b *builder) program(command string) string {
	if strings.HasPrefix(command, "./") || strings.HasPrefix(command, "../") {
		return b.absolute(command)
	}
	return command
}

// absolute is a path of the file that holds in every folder.
func (b *builder) absolute(path string) string {
	if path == "" {
		return ""
	}
	full, err := filepath.Abs(relative(b.dir, path))
	if err != nil { // the working directory is gone
		return relative(b.dir, path)
	}
	return full
}

// transport joins our key and VS Code's.
func (b *builder) transport(at string, in *server) string {
	typed := string(in.Type)
	if typed == "streamable-http" || typed == "streamableHttp" {
		typed = "http"
	}
	if typed != "" && in.Transport != "" && typed != string(in.Transport) {
		b.failAt(at+".type", "differs from transport", "keep one of them")
	}
	return first(string(in.Transport), typed)
}

// clientServer takes an entry that a client's configuration holds.
func (b *builder) clientServer(at, name string, in clientServer) (durward.Upstream, bool) {
	alias := durward.UpstreamNameFrom(name)
	if alias == "" {
		b.failAt(at, "has a name without letters or digits", "rename it: tools are listed as <name>__<tool>")
		return durward.Upstream{}, false
	}
	if alias != name {
		b.warn(b.keyNode(at), at, "is known as upstream "+alias, "tools are listed as "+alias+"__<tool>")
	}
	if in.Timeout.ignored {
		b.warn(b.keyNode(at+".timeout"), at+".timeout", "has no unit and is ignored", "write it as 30s or 5m")
	}
	for _, u := range []link{in.HTTPURL, in.ServerURL} {
		if u == "" {
			continue
		}
		if in.URL != "" && in.URL != u {
			b.failAt(at+".url", "is given twice, and differently", "keep url")
		}
		in.URL = u
	}
	return b.upstream(at, alias, &in.server, in.Timeout.set.value()), true
}

// faults reports what is wrong with an upstream where the file says it.
func (b *builder) faults(at string, u *durward.Upstream) {
	for _, f := range b.asWritten(at, u).Faults() {
		switch f.Field {
		case "", "name":
			b.failAt(at, f.Text, b.nameHint(f, u.Name))
		default:
			path := at + "." + f.Field
			if f.Field == "dir" && b.places[path].key == nil {
				path = at + ".cwd"
			}
			if f.Field == "transport" && b.places[path].key == nil {
				path = at + ".type"
			}
			b.failAt(path, f.Text, f.Hint)
		}
	}
}

// asWritten gives an upstream whose address could not be read, which was
// reported, some address, so that only what else is wrong is found.
func (b *builder) asWritten(at string, u *durward.Upstream) *durward.Upstream {
	out := *u
	if out.Command == "" && b.places[at+".command"].key != nil {
		out.Command = "unread"
	}
	if out.URL == "" && b.places[at+".url"].key != nil {
		out.URL = "http://unread"
	}
	return &out
}

func (b *builder) nameHint(f durward.Fault, name string) string {
	if f.Field != "name" || f.Hint != "" {
		return f.Hint
	}
	if alias := durward.UpstreamNameFrom(name); alias != "" {
		return "call it " + alias
	}
	return ""
}

func textMap[T ~string](in map[string]T) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = string(v)
	}
	return out
}
