package flow

import (
	"bytes"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/text"
)

// call is a call's arguments taken apart.
type call struct {
	leaves  []leaf
	sent    []byte   // squeezed text of all that is not an address of the call
	closed  [][]byte // what was not looked for decoded forms yet, see open
	views   [][]byte // squeezed decoded forms
	opened  [][]byte // decoded forms as they are
	targets []leaf   // whom or what the call is aimed at
	outside bool     // aimed at someone or something not ours
	holds   Class    // what of its own is in it, see ordinary
	known   bool     // holds is known
	away    bool     // see Role
	turned  bool     // it is compared backwards or by another alphabet
}

type leaf struct {
	name  string
	where string
	value []byte
}

func (s *Session) read(args []byte) *call {
	c := &call{}
	var folder text.Folder
	carrier.Walk(args[:min(len(args), maxSent)], func(path []string, value []byte, key bool) {
		if len(value) == 0 || key && carrier.IsName(value) {
			return
		}
		if key { // no name says what it is for
			path = nil
		}
		l := leaf{name: strings.ToLower(innermost(path)), where: "/" + strings.Join(path, "/"), value: value}
		c.leaves = append(c.leaves, l)
		if aims(l.name) {
			c.targets = append(c.targets, l)
			c.outside = c.outside || outside(l.value)
			if !bytes.Contains(value, []byte("?")) && len(value) < 128 {
				return // an address; its query may carry data
			}
		}
		c.sent = squeeze(c.sent, folder.Fold(value).Bytes)
		c.closed = append(c.closed, value)
	})
	return c
}

// open decodes what is sent, once there is something to compare it with.
func (c *call) open() {
	var views text.Views
	for _, value := range c.closed {
		for _, v := range views.Open(value) {
			c.views = append(c.views, squeeze(nil, v.Text))
			c.opened = append(c.opened, bytes.Clone(v.Text))
		}
		c.views = append(c.views, loose(value)...)
	}
	c.closed = nil
}

func innermost(path []string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] != "" && (path[i][0] < '0' || path[i][0] > '9') {
			return path[i]
		}
	}
	return ""
}
