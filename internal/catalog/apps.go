package catalog

import (
	"strings"

	"durward"
	"durward/internal/mcpwire"
)

// The pages of MCP Apps are resources under ui://, which a host fetches by the
// URI that a tool names, listed or not. The URIs pass as they are. Where two
// upstreams have the same, that of the one that was declared later moves to
// ui://<alias>/..., wherever it is named: a host must not show one upstream's
// page for the tool of another.

const appScheme = "ui://"

// settleApps finds out what pages each section has and which of them move.
func settleApps(sections []*section) {
	owner := make(map[string]string)
	for _, s := range sections {
		for uri := range s.pages() {
			public := uri
			if first := owner[uri]; first == "" {
				owner[uri] = s.Upstream
			} else if first != s.Upstream {
				public = appScheme + s.Upstream + "/" + strings.TrimPrefix(uri, appScheme)
				s.move(uri, public)
			}
			if s.apps == nil {
				s.apps = make(map[string]string)
			}
			s.apps[public] = uri
		}
		for _, op := range s.resources {
			if public, ok := s.moved[op.Name]; ok {
				op.Public = public
			}
		}
	}
}

// pages are the pages that an upstream lists or that one of its tools names.
func (s *section) pages() map[string]bool {
	var found map[string]bool
	add := func(uri string) {
		if !strings.HasPrefix(uri, appScheme) || len(uri) > maxItemName {
			return
		}
		if found == nil {
			found = make(map[string]bool)
		}
		found[uri] = true
	}
	for _, op := range s.resources {
		add(op.Name)
	}
	for _, op := range s.tools {
		add(mcpwire.AppURI(op.Definition))
	}
	return found
}

func (s *section) move(uri, public string) {
	if s.moved == nil {
		s.moved = make(map[string]string)
	}
	s.moved[uri] = public
}

// addApps lets pages be read that only a tool names, from the upstream of that tool.
func (v *View) addApps(s *section) {
	for public, own := range s.apps {
		if v.byURI[public] != nil {
			continue
		}
		op := resourceAt(s, own)
		op.Public = public
		if !v.ask.Decide(op).Denies() {
			v.byURI[public] = op
		}
	}
}

// settled is a definition as a host has to see it: what it names under ui:// as
// it is called here.
func (it item) settled(def []byte) []byte {
	switch {
	case it.at == nil || it.at.moved == nil:
	case it.op.Kind == durward.KindResource && it.op.Public != it.op.Name:
		return mcpwire.SetField(def, "uri", mcpwire.Quote(it.op.Public))
	case it.op.Kind == durward.KindTool:
		if public, ok := it.at.moved[mcpwire.AppURI(def)]; ok {
			return mcpwire.SetAppURI(def, public)
		}
	}
	return def
}

// Settle puts the URIs of pages that moved into a result of their upstream.
func (v *View) Settle(upstream string, result []byte) []byte {
	for _, s := range v.sections {
		if s.Upstream == upstream && s.moved != nil {
			return mcpwire.MapURIs(result, s.moved)
		}
	}
	return result
}
