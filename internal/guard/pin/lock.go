package pin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"durward"
	"durward/internal/guard/text"
	"durward/internal/mcpwire"
)

// Locked is a definition in a lock file.
type Locked struct {
	durward.Pin
	// Withheld is listed and not approved; it is there so that a comparison
	// with what a server lists comes out even.
	Withheld bool
}

// lockFormat is the version of the format.
const lockFormat = 1

const digestPrefix = "sha256:"

// The form of a lock file. Everything is in alphabetical order, a value a
// line, so that a change reads as one.
type (
	lockFile struct {
		Comment   string                `json:"//"`
		Lock      int                   `json:"lock"`
		Upstreams map[string]lockServer `json:"upstreams"`
	}
	lockServer map[string]map[string]lockItem // by kind and name
	lockItem   struct {
		Withheld   bool              `json:"withheld,omitempty"`
		Digest     string            `json:"digest"`
		Groups     map[string]string `json:"groups"`
		Definition json.RawMessage   `json:"definition"`
	}
)

const lockComment = "Written by durward lock. What stands here is approved; remove withheld from what you approve besides."

// AppendLock appends the lock file of definitions to dst. The same definitions
// always give the same bytes. Characters that hide are written as escapes.
func AppendLock(dst []byte, all []Locked) ([]byte, error) {
	f := lockFile{Comment: lockComment, Lock: lockFormat, Upstreams: map[string]lockServer{}}
	for _, l := range all {
		s := f.Upstreams[l.Upstream]
		if s == nil {
			s = lockServer{}
			f.Upstreams[l.Upstream] = s
		}
		if s[l.Kind] == nil {
			s[l.Kind] = map[string]lockItem{}
		}
		item := lockItem{Withheld: l.Withheld, Digest: digestPrefix + l.Digest, Groups: map[string]string{}, Definition: l.Definition}
		for g, d := range l.Groups {
			item.Groups[g] = digestPrefix + d
		}
		s[l.Kind][l.Name] = item
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		return dst, fmt.Errorf("lock: %w", err)
	}
	return appendShown(dst, b.String()), nil
}

// appendShown escapes what a reviewer would not see. Outside of strings there
// is only ASCII, so an escape is always within one.
func appendShown(dst []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r < 0x80 && r != 0x7f || r >= 0x80 && text.Shown(r):
			dst = append(dst, string(r)...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, hi, lo)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
	}
	return dst
}

// ParseLock reads a lock file. Digests that are not those of the definitions
// beside them are refused: who reviews a change reads the definitions.
func ParseLock(raw []byte) ([]Locked, error) {
	if err := mcpwire.Value(raw, mcpwire.Limits{Bytes: 64 << 20, Depth: 80}); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	var f lockFile
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("it is not a lock file: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if f.Lock != lockFormat {
		return nil, fmt.Errorf("it has format %d; this program knows %d", f.Lock, lockFormat)
	}
	var out []Locked
	for upstream, kinds := range f.Upstreams {
		if err := durward.CheckUpstreamName(upstream); err != nil {
			return nil, err
		}
		for kind, items := range kinds {
			for name, item := range items {
				l, err := item.locked(upstream, kind, name)
				if err != nil {
					return nil, fmt.Errorf("%s %s of %s: %w", kind, name, upstream, err)
				}
				out = append(out, l)
			}
		}
	}
	slices.SortFunc(out, func(a, b Locked) int { return Order(&a.Pin, &b.Pin) })
	return out, nil
}

// Order is the order of pins: by upstream, kind and name.
func Order(a, b *durward.Pin) int {
	return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

func (i *lockItem) locked(upstream, kind, name string) (Locked, error) {
	switch kind {
	case durward.PinTool, durward.PinPrompt, durward.PinResource, durward.PinTemplate, durward.PinInstructions, durward.PinServer:
	default:
		return Locked{}, errors.New("there is no such kind")
	}
	p, err := Make(upstream, kind, name, i.Definition)
	if err != nil {
		return Locked{}, err
	}
	if i.Digest != digestPrefix+p.Digest {
		return Locked{}, errors.New("the digest is not that of the definition; write the file with durward lock")
	}
	p.Origin = durward.FromFile
	return Locked{Pin: p, Withheld: i.Withheld}, nil
}

// Approved are the pins of a lock file that approve something.
func Approved(all []Locked) []durward.Pin {
	out := make([]durward.Pin, 0, len(all))
	for i := range all {
		if !all[i].Withheld {
			out = append(out, all[i].Pin)
		}
	}
	return out
}
