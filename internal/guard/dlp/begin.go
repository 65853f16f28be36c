package dlp

// beginnings knows how the prefixes of detectors begin, so that most places of
// a text cost two looks into a table: short prefixes are told by two bytes, the
// others by three, of which a few too many are let through.
type beginnings struct {
	short, long [256][4]uint64 // by the first byte, a bit for each second one
	thirds      [1 << 9]uint64 // by a hash of three
}

func (p *beginnings) add(c byte, d detector, seconds []byte) {
	for _, s := range seconds {
		if len(d.prefix) < 3 {
			p.short[c][s>>6] |= 1 << (s & 63)
			continue
		}
		p.long[c][s>>6] |= 1 << (s & 63)
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
	bit := uint64(1) << (next & 63)
	if begins.short[c][next>>6]&bit != 0 {
		return true
	}
	if begins.long[c][next>>6]&bit == 0 || i+2 >= len(b) {
		return false
	}
	h := hashOf(c, next, b[i+2])
	return begins.thirds[h>>6]&(1<<(h&63)) != 0
}
