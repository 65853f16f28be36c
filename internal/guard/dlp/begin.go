package dlp

// beginnings knows how the prefixes of detectors begin, so that most places of
// a text cost two looks into a table: short prefixes are told by two bytes, the
// others by three, of which a few too many are let through.
type beginnings struct {
	any    [256][4]uint64 // by the first byte, a bit for each second one
	short  [256][4]uint64 // those that need no third
	thirds [1 << 9]uint64 // by a hash of three
}

func (p *beginnings) add(c byte, d detector, seconds []byte) {
	for _, s := range seconds {
		p.any[c][s>>6] |= 1 << (s & 63)
		if len(d.prefix) < 3 {
			p.short[c][s>>6] |= 1 << (s & 63)
			continue
		}
		third := d.prefix[2]
		p.third(c, s, third)
		if d.fold && 'a' <= third && third <= 'z' {
			p.third(c, s, third&^0x20)
		}
	}
}

func (p *beginnings) third(c, next, third byte) {
	h := hashOf(c, next, third)
	p.thirds[h>>6] |= 1 << (h & 63)
}

func hashOf(c, next, third byte) uint32 {
	return (uint32(c)<<16 | uint32(next)<<8 | uint32(third)) * 0x9E3779B1 >> 17
}

// may reports whether a detector may begin at i, where c and next stand.
func may(b []byte, i int, c, next byte) bool {
	return begins.any[c][next>>6]&(1<<(next&63)) != 0 && begins.may(b, i, c, next)
}

// may is the closer look.
func (p *beginnings) may(b []byte, i int, c, next byte) bool {
	if p.short[c][next>>6]&(1<<(next&63)) != 0 {
		return true
	}
	if i+2 >= len(b) {
		return false
	}
	h := hashOf(c, next, b[i+2])
	return p.thirds[h>>6]&(1<<(h&63)) != 0
}

// seconded are the detectors of one first byte by the second: those whose
// prefix has it, and those whose prefix says nothing of it, in their order.
type seconded struct {
	which [256]uint8
	lists [][]detector
}

func (s *seconded) of(next byte) []detector {
	if s == nil {
		return nil
	}
	return s.lists[s.which[next]]
}

// startsWith is starts by two bytes.
var startsWith = func() (t [256]*seconded) {
	for c, all := range starts {
		if len(all) == 0 {
			continue
		}
		s := &seconded{}
		known := map[string]uint8{}
		for next := range 256 {
			var list []detector
			var names []byte
			for k, d := range all {
				if len(d.prefix) < 2 || d.prefix[1] == byte(next) || d.fold && d.prefix[1] >= 'a' && d.prefix[1] <= 'z' && d.prefix[1]&^0x20 == byte(next) {
					list, names = append(list, d), append(names, byte(k))
				}
			}
			at, ok := known[string(names)]
			if !ok {
				at = uint8(len(s.lists))
				known[string(names)] = at
				s.lists = append(s.lists, list)
			}
			s.which[next] = at
		}
		t[c] = s
	}
	return t
}()
