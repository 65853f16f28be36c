package durward_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// The floors of the house, see ARCHITECTURE.md. A new room is added here first.
const (
	ground  = iota // F0: words and wires; stands on the vocabulary alone
	engine         // F1: durable and short-lived state
	part           // F2: one question each, no other part
	verb           // F3: pipeline serves a call, control changes what is true
	face           // F4: translate the outside into verbs
	knit           // F5: boot
	command        // F6: the CLI
	apart          // tests and tools; nothing in the product may import it
)

var floorOf = map[string]int{
	"durward":              ground,
	"internal/mcpwire":     ground,
	"internal/httpwire":    ground,
	"internal/telemetry":   ground,
	"internal/store":       engine,
	"internal/identity":    part,
	"internal/session":     part,
	"internal/catalog":     part,
	"internal/policy":      part,
	"internal/guard":       part,
	"internal/runaway":     part,
	"internal/limit":       part,
	"internal/audit":       part,
	"internal/approval":    part,
	"internal/once":        part,
	"internal/upstream":    part,
	"internal/oauth":       part,
	"internal/example":     part,
	"internal/snapshot":    part,
	"internal/inventory":   part,
	"internal/pipeline":    verb,
	"internal/control":     verb,
	"internal/config":      face,
	"internal/edge":        face,
	"internal/admin":       face,
	"internal/boot":        knit,
	"cmd/durward":          command,
	"internal/durwardtest": apart,
	"test":                 apart,
}

// mayAlso lists the few rooms that a floor may enter beyond the floors below it.
var mayAlso = map[string][]string{
	"cmd/durward": {"internal/config", "internal/boot", "internal/admin", "internal/telemetry"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func TestHouse(t *testing.T) {
	for _, p := range ownPackages(t) {
		from := room(p.ImportPath)
		floor, ok := floorOf[from]
		if !ok {
			t.Errorf("%s is a room without a floor: add it to floorOf, and to ARCHITECTURE.md", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if imp != "durward" && !strings.HasPrefix(imp, "durward/") {
				continue
			}
			to := room(imp)
			if to == from || allowed(from, floor, to) {
				continue
			}
			t.Errorf("%s imports %s: arrows point down; declare the interface you need", p.ImportPath, imp)
		}
	}
}

// allowed says whether a room on floor may import the room to (LAYOUT: section 3).
func allowed(from string, floor int, to string) bool {
	dest := floorOf[to]
	switch {
	case dest == apart:
		return floor == apart
	case floor == apart || to == "durward":
		return true
	case floor == ground: // among the ground floor only the vocabulary
		return false
	case floor == command:
		for _, r := range mayAlso[from] {
			if r == to {
				return true
			}
		}
		return false
	case floor == face: // a face knows its verb and the ground
		return dest == ground || (dest == verb && from != "internal/config")
	case floor == verb: // a verb knows parts and the ground
		return dest == part || dest == ground
	case floor == part || floor == engine: // never another part, never an engine
		return dest == ground
	}
	return dest < floor
}

// room is the part of an import path that has a floor: a child shares its parent's room.
func room(path string) string {
	rel := strings.TrimPrefix(path, "durward/")
	for r := rel; ; {
		if _, ok := floorOf[r]; ok {
			return r
		}
		i := strings.LastIndexByte(r, '/')
		if i < 0 {
			return rel
		}
		r = r[:i]
	}
}

func ownPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		all = append(all, p)
	}
}
