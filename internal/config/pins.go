package config

import (
	"time"

	"durward"
)

// guardPins is how definitions are held to what was approved.
type guardPins struct {
	FirstSight word    `key:"first_sight" words:"trust-first|quarantine|scan-then-trust" doc:"What happens to a definition that is new: it is taken, it waits for an operator, or it is taken unless a scan finds an attack in it."`
	Resources  word    `key:"resources" words:"scan|pin" doc:"Whether resources, whose lists may change with every file, are only scanned or pinned like tools."`
	Identity   word    `key:"identity" words:"first-sight|withhold|strict" doc:"What happens when an upstream is another server than before: its definitions are seen as for the first time, or all of them wait for an operator; with strict also when its version or the key of its certificate is another."`
	Probe      every   `key:"probe" doc:"How often an upstream over HTTP is asked as another client, in a session of its own, what it lists, and the sessions of agents are compared; off for never."`
	Approve    approve `key:"approve" doc:"How changed and new definitions are approved."`
}

type approve struct {
	People count `key:"people" doc:"How many operators, each with a key of their own, approve a definition."`
}

func pinDefaults() guardPins {
	return guardPins{FirstSight: durward.ScanThenTrust, Resources: "scan", Identity: "first-sight", Probe: every(600 * second), Approve: approve{People: 1}}
}

func (g *guardPins) guarding() durward.Guarding {
	return durward.Guarding{FirstSight: string(g.FirstSight), Resources: string(g.Resources), Identity: string(g.Identity), People: int(g.Approve.People), Probe: time.Duration(g.Probe)}
}

// maxLock bounds a lock file.
const maxLock = 64 << 20

// lock reads the lock file.
func (b *builder) lock() {
	if b.out.Lock == "" || b.o.ReadLock == nil {
		return
	}
	raw, err := b.refs.files.read(b.out.Lock, maxLock)
	if err != nil {
		b.failAt("lock", "cannot be read: "+err.Error(), "durward lock writes it")
		return
	}
	if b.out.Pins, err = b.o.ReadLock(raw); err != nil {
		b.failAt("lock", "cannot be used: "+err.Error(), "")
	}
}
