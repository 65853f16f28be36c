package dlp

import (
	"bytes"
	"slices"
	"sort"
	"sync"
)

// Bounds of what is opened.
const (
	mostLayers = 4    // encodings within encodings
	mostEchoes = 32   // values that are looked for again
	leastEcho  = 8    // bytes of a value that is looked for again
	openFloor  = 8192 // what may be decoded of a short text
)

// Look appends the finds in b to dst: what stands there as it is, what is
// encoded (base64, base32 and hexadecimal, also in lines; percent and other
// escapes, character references, characters that are not shown or that only
// look different, two and more layers deep), and what says again a value that
// was found. An encoded passage is replaced as a whole. It is false when a
// bound ended the search early.
//
// Text without the outline of an encoding costs one pass more and no memory.
func Look(dst []Find, b []byte) ([]Find, bool) {
	from := len(dst)
	dst = Append(dst, b)
	m := outline(b)
	whole := true
	if m != (marks{}) {
		o := openers.Get().(*opener)
		o.budget, o.cut = 4*len(b)+openFloor, false
		dst = o.open(dst, b, m, 0)
		whole = !o.cut
		openers.Put(o)
		dst = settle(dst, from)
	}
	if len(dst) > from {
		dst = settle(echo(dst, from, b), from)
	}
	return dst, whole
}

// Visit calls see for each text that is encoded in b, in layers; it is valid
// during the call.
func Visit(b []byte, see func(text []byte)) {
	m := outline(b)
	if m == (marks{}) {
		return
	}
	o := &opener{budget: 4*len(b) + openFloor, see: see}
	o.open(nil, b, m, 0)
}

// opener decodes, and reuses its memory. It is used by one goroutine at a time.
type opener struct {
	budget int // bytes that may still be decoded
	cut    bool
	see    func(text []byte) // each text that was opened; nil when nobody asks
	layer  [mostLayers]layer
}

// layer is the memory of one layer of encoding.
type layer struct {
	text   []byte
	origin []int32 // where each byte of text comes from, and where the text ends
	tight  []byte  // a run without what parts its lines
	out    []byte  // and decoded
	said   []byte  // what of that is text
}

var openers = sync.Pool{New: func() any { return new(opener) }}

// open appends what the encoded parts of b hold.
func (o *opener) open(dst []Find, b []byte, m marks, depth int) []Find {
	if depth >= mostLayers {
		o.cut = o.cut || m.escapes // a run may be no encoding at all
		return dst
	}
	if m.escapes {
		dst = o.unfolded(dst, b, depth)
	}
	if m.runs {
		dst = o.runs(dst, b, depth)
	}
	return dst
}

// inner is what a decoded text holds; the finds are in its own terms.
func (o *opener) inner(text []byte, depth int) []Find {
	if o.see != nil {
		o.see(text)
	}
	finds := Append(nil, text)
	if m := outline(text); m != (marks{}) {
		finds = settle(o.open(finds, text, m, depth+1), 0)
	}
	for i := range finds {
		finds[i].Plain = bytes.Clone(finds[i].Clear(text))
	}
	return finds
}

// echo finds the values again where no label tells of them.
func echo(all []Find, from int, b []byte) []Find {
	known := all[from:]
	var done [][]byte
	for k := 0; k < len(known) && len(done) < mostEchoes; k++ {
		v := known[k].Clear(b)
		if known[k].Class != Secret || len(v) < leastEcho || !varied(v) || slices.ContainsFunc(done, func(d []byte) bool { return bytes.Equal(d, v) }) {
			continue
		}
		done = append(done, v)
		for at := 0; ; {
			i := bytes.Index(b[at:], v)
			if i < 0 {
				break
			}
			start := at + i
			at = start + len(v)
			if !covered(known, start, at) {
				all = append(all, Find{Class: Secret, Kind: known[k].Kind, Start: start, End: at, Value: start, Sure: known[k].Sure})
			}
		}
	}
	return all
}

// covered reports a place within one of the finds, which are in order.
func covered(finds []Find, start, end int) bool {
	k := sort.Search(len(finds), func(i int) bool { return finds[i].End >= end })
	return k < len(finds) && finds[k].Start <= start
}
