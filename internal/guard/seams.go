package guard

import (
	"bytes"
	"strings"

	"durward"
	"durward/internal/guard/dlp"
	"durward/internal/mcpwire"
)

// Bounds on what is put together again.
const (
	keyHold    = 16 << 10 // bytes of an open private key
	mostLeaves = 1 << 16  // strings of a message that are remembered
	mostOpen   = 64       // strings at whose end a secret may begin
	mostParts  = 64       // of one secret
)

// seam is a string of the message, in order.
type seam struct {
	span durward.Span
	key  []byte
}

// shard is what of a string belongs to a secret.
type shard struct{ leaf, from, to int }

// remember notes a string, and whether a secret may begin at its end.
func (r *reading) remember(span durward.Span, key []byte) {
	if len(r.leaves) == mostLeaves {
		return
	}
	r.leaves = append(r.leaves, seam{span, key})
	if dlp.Coded(r.raw[span.Start+1 : span.End-1]) {
		r.coded = append(r.coded, len(r.leaves)-1)
	}
	if len(r.opens) < mostOpen && dlp.Open(r.raw[span.Start+1:span.End-1]) >= 0 {
		r.opens = append(r.opens, len(r.leaves)-1)
	}
}

// seams finds secrets that are spread over several strings: lists of pieces,
// fields beside each other, blocks of text.
func (r *reading) seams() {
	done := -1
	for _, k := range r.opens {
		if k <= done {
			continue
		}
		first := r.decode(k)
		at := dlp.Open(first)
		if at < 0 {
			continue
		}
		var parts []shard
		var value []byte
		if bytes.HasPrefix(first[at:], []byte("-----BEGIN ")) {
			parts, value = r.key(k, first, at)
		} else {
			parts, value = r.spread(k, first, at)
		}
		if len(parts) > 1 {
			r.found(parts, value, "")
			done = parts[len(parts)-1].leaf
		}
	}
}

func (r *reading) decode(k int) []byte {
	out, _ := mcpwire.AppendText(nil, r.raw[r.leaves[k].span.Start:r.leaves[k].span.End])
	return out
}

// key gathers the strings that go on with a private key.
func (r *reading) key(k int, first []byte, at int) (parts []shard, value []byte) {
	parts, value = []shard{{k, at, len(first)}}, append(value, first[at:]...)
	for j := k + 1; j < len(r.leaves) && len(value) < keyHold; j++ {
		t := r.decode(j)
		to, last, ok := dlp.KeyPart(t)
		if !ok {
			break
		}
		parts, value = append(parts, shard{j, 0, to}), append(append(value, '\n'), t[:to]...)
		if last {
			break
		}
	}
	if len(value) < 100 {
		return nil, nil
	}
	return parts, value
}

// spread gathers the strings that go on with a secret of a known form: those
// that follow, those under the same name, the last words of those that
// follow, or of those before.
func (r *reading) spread(k int, first []byte, at int) ([]shard, []byte) {
	_, to := dlp.Last(first)
	start := append([]byte(nil), first[at:to]...)
	_, more, whole := dlp.Joined(start)
	if whole && !more { // it is one already
		return nil, nil
	}
	var best []shard
	var value []byte
	words := mostParts
	for _, w := range courses {
		if whole && w.same { // rows of a table have the same names
			continue
		}
		parts, v, n := r.along(w, k, shard{k, at, to}, start, whole)
		if parts != nil && n < words { // what is made of fewer words is more likely meant
			best, value, words = parts, v, n
		}
	}
	return best, value
}

// course is an order in which parts may stand.
type course struct {
	step int
	same bool // under one name
	ends bool // at the ends of strings
}

var courses = []course{{1, false, false}, {1, true, false}, {1, false, true}, {1, true, true}, {-1, false, false}, {-1, false, true}}

// along gathers parts one way, and counts those that could be words.
func (r *reading) along(w course, k int, first shard, value []byte, enough bool) (parts []shard, v []byte, words int) {
	parts, whole := []shard{first}, 0
	many := dlp.Exactly(value) > 0 || len(value) < 8
	for j, n := k+w.step, 0; j >= 0 && j < len(r.leaves) && n < mostParts; j += w.step {
		if w.same && !bytes.Equal(r.leaves[j].key, r.leaves[k].key) {
			continue
		}
		n++
		if enough && !kin(r.leaves[j].key, r.leaves[k].key) { // it may be whole
			break
		}
		t := r.decode(j)
		from, end := dlp.First(t)
		if w.ends {
			from, end = dlp.Last(t)
		}
		if from == end || dlp.Open(t[from:end]) == 0 && end-from > 4 || !dlp.PartLike(t[from:end], many && whole == 0) {
			break
		}
		if !dlp.PartLike(t[from:end], false) {
			words++
		}
		value = append(value[:len(value):len(value)], t[from:end]...)
		f, more, ok := dlp.Joined(value)
		over := len(value) - f.End
		switch {
		case ok && over < end-from:
			parts, whole = append(parts, shard{j, from, end - over}), f.End
		case whole == 0 && more:
			parts = append(parts, shard{j, from, end})
		default:
			more = false
		}
		if !more || end-from < len(t) {
			break
		}
	}
	if whole == 0 {
		return nil, nil, 0
	}
	return parts, value[:whole], words
}

// kin reports names that say that their values belong together: the same, or
// part1 and part2.
func kin(a, b []byte) bool {
	const counters = "0123456789abAB"
	return bytes.Equal(bytes.TrimRight(a, counters), bytes.TrimRight(b, counters))
}

// found records a secret that is spread over strings, and cuts its parts out.
func (r *reading) found(parts []shard, value []byte, kind string) {
	id, most := "secret.credential", r.most
	if r.out {
		id, most = "arguments.secret", durward.Deny
		if r.scope.declares(r.pointer(r.leaves[parts[0].leaf].span.Start)) {
			return
		}
	}
	of := rule(id)
	f := durward.Finding{Rule: of.ID, Vector: of.Vector, Severity: of.Severity, Score: 0.98, Where: r.pointer(r.leaves[parts[0].leaf].span.Start), Evidence: "in several strings"}
	if r.scope.takeAt(r.note(), f, most, r.care) != durward.Redact {
		return
	}
	if kind == "" {
		kind = "key"
		if f, _, ok := dlp.Joined(value); ok {
			kind = f.Kind
		}
	}
	find := dlp.Find{Class: dlp.Secret, Kind: kind, Plain: value, End: 1}
	token := r.scope.engine.redactor.Token(find, nil)
	r.note().Secrets = append(r.note().Secrets, Secret{token, string(value)})
	find.Rest = true
	rest := r.scope.engine.redactor.Token(find, nil)
	for i, p := range parts {
		if i > 0 {
			token = rest
		}
		r.cutPart(p, token)
	}
}

// codedSeams finds secrets in an encoding that is spread over strings beside
// each other.
func (r *reading) codedSeams() {
	for i := 0; i < len(r.coded); {
		n := i + 1
		for n < len(r.coded) && r.coded[n] == r.coded[n-1]+1 && n-i < mostParts {
			n++
		}
		if n-i > 1 {
			r.codedSeam(r.coded[i:n])
		}
		i = n
	}
}

func (r *reading) codedSeam(leaves []int) {
	var all []byte
	ends := make([]int, len(leaves))
	for i, k := range leaves {
		l := r.leaves[k].span
		all = append(all, r.raw[l.Start+1:l.End-1]...) // there are no escapes in it
		ends[i] = len(all)
	}
	finds, _ := dlp.Look(nil, all)
	for _, f := range finds {
		if !f.Sure || f.Class != dlp.Secret || f.Plain == nil {
			continue
		}
		var parts []shard
		from := 0
		for i, end := range ends {
			if a, b := max(f.Start, from), min(f.End, end); a < b {
				parts = append(parts, shard{leaves[i], a - from, b - from})
			}
			from = end
		}
		if len(parts) > 1 {
			r.found(parts, f.Plain, f.Kind)
		}
	}
}

// clearOf is the value of a find, without what stands between the pieces that it
// is spread over.
func clearOf(f dlp.Find, text []byte, parts []piece) []byte {
	if f.Plain != nil {
		return f.Plain
	}
	whole := f.Clear(text)
	end := f.Value + len(whole)
	var out []byte
	for _, p := range parts {
		if a, b := max(f.Value, p.start), min(end, p.end); a < b {
			if out != nil {
				out = append(out, '\n')
			}
			out = append(out, text[a:b]...)
		}
	}
	if out == nil {
		return whole
	}
	return out
}

// cutPart puts a token in the place of a part, also in a string that has been
// changed already.
func (r *reading) cutPart(p shard, token string) {
	l := r.leaves[p.leaf]
	was := r.decode(p.leaf)
	for i := range r.edits {
		if r.edits[i].Span != l.span {
			continue
		}
		now, _ := mcpwire.Text(r.edits[i].New)
		gone := string(was[p.from:p.to])
		for _, s := range r.seen.Secrets { // the part was taken for a whole
			if s.Value == gone && s.Token != token {
				gone = s.Token
			}
		}
		r.edits[i].New = mcpwire.Quote(strings.Replace(now, gone, token, 1))
		return
	}
	r.edit(piece{span: l.span, text: string(l.key) == "text"}, string(was[:p.from])+token+string(was[p.to:]))
}
