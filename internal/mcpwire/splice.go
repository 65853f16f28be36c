package mcpwire

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"durward"
)

// Edit replaces the bytes of a span. An empty span that is not zero inserts.
type Edit struct {
	Span durward.Span
	New  []byte
}

// Splice returns raw with the edits applied, in any order; raw itself is not
// changed. An edit of an absent span is ignored. Spans outside raw or over each
// other are a mistake of ours, and panic.
func Splice(raw []byte, edits ...Edit) []byte { return SplicePieces(raw, edits...).Join() }

// Pieces are bytes that were not copied together.
type Pieces [][]byte

// Whole are the pieces of b: itself, or none when it is nil.
func Whole(b []byte) Pieces {
	if b == nil {
		return nil
	}
	return Pieces{b}
}

// Join returns the bytes in one; those of a single piece are not copied.
func (p Pieces) Join() []byte {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	}
	return bytes.Join(p, nil) // whose memory is not cleared before
}

// SplicePieces is [Splice] without the copy.
func SplicePieces(raw []byte, edits ...Edit) Pieces {
	edits = slices.DeleteFunc(slices.Clone(edits), func(e Edit) bool { return !e.Span.Present() })
	if len(edits) == 0 {
		return Pieces{raw}
	}
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	pieces, last := make(Pieces, 0, fewEdits), 0
	for _, e := range edits {
		if e.Span.Start < last || e.Span.End < e.Span.Start || e.Span.End > len(raw) {
			panic(fmt.Sprintf("mcpwire: edit %v of %d bytes does not fit", e.Span, len(raw)))
		}
		pieces = append(pieces, raw[last:e.Span.Start], e.New)
		last = e.Span.End
	}
	return append(pieces, raw[last:])
}

const fewEdits = 9 // pieces that need no memory of their own

// SetField returns obj with the value of a key at the top replaced, or with
// the member added at the front.
func SetField(obj []byte, key string, value []byte) []byte {
	for m := range members(obj) {
		if isRawText(m.rawKey(obj), key) {
			return Splice(obj, Edit{m.value, value})
		}
	}
	return AddField(obj, key, value)
}

// AddField returns obj with a member added at the front; the key must not be there.
func AddField(obj []byte, key string, value []byte) []byte {
	return addMembers(obj, appendMember(make([]byte, 0, len(key)+len(value)+4), key, value))
}

// DropFields returns obj without the given keys at its top; obj itself when it
// has none of them.
func DropFields(obj []byte, keys ...string) []byte {
	return keepFields(obj, func(key []byte) bool {
		return !slices.ContainsFunc(keys, func(k string) bool { return isRawText(key, k) })
	})
}

// keepFields returns obj with the members whose raw key is to be kept, their
// own bytes and white space untouched; obj itself when all are.
func keepFields(obj []byte, keep func(rawKey []byte) bool) []byte {
	if !drops(obj, keep) {
		return obj
	}
	pieces := append(make([][]byte, 0, fewEdits), []byte("{"))
	from := skipSpace(obj, 0) + 1
	for m := range members(obj) {
		stop := skipSpace(obj, m.value.End)
		if keep(m.rawKey(obj)) {
			if len(pieces) > 1 {
				pieces = append(pieces, []byte(","))
			}
			pieces = append(pieces, obj[from:stop])
		}
		from = stop + 1
	}
	return bytes.Join(append(pieces, []byte("}")), nil)
}

// rewrite returns obj with each member as f says: its value, another value, or
// not at all. What f leaves keeps its bytes and white space, uncopied.
func rewrite(obj []byte, f func(rawKey, value []byte) (next []byte, keep bool)) Pieces {
	return rewriteMembers(obj, members(obj), f)
}

// rewriteMembers is rewrite where the members are known.
func rewriteMembers(obj []byte, all iter.Seq[member], f func(rawKey, value []byte) (next []byte, keep bool)) Pieces {
	w := rewriter{obj: obj, pieces: append(make(Pieces, 0, fewEdits), openBrace), run: -1}
	from := skipSpace(obj, 0) + 1
	for m := range all {
		stop, value := skipSpace(obj, m.value.End), m.of(obj)
		next, keep := f(m.rawKey(obj), value)
		if !keep {
			w.flush(from - 1)
			from = stop + 1
			continue
		}
		if w.run < 0 {
			w.run, w.joined = from, len(w.pieces) == 1
		}
		if len(next) != len(value) || !bytes.Equal(next, value) {
			w.flush(m.value.Start)
			w.pieces = append(w.pieces, next)
			w.run, w.joined = m.value.End, true
		}
		from = stop + 1
	}
	w.flush(from - 1)
	return append(w.pieces, closing)
}

// rewriter gathers what [rewrite] returns. Members that are left as they are
// and lie side by side are one run.
type rewriter struct {
	obj    []byte
	pieces Pieces
	run    int  // where the run begins; -1 without one
	joined bool // no comma belongs before it
}

func (w *rewriter) flush(end int) {
	if w.run < 0 {
		return
	}
	if !w.joined {
		w.pieces = append(w.pieces, comma)
	}
	w.pieces = append(w.pieces, w.obj[w.run:end])
	w.run = -1
}

var openBrace, comma = []byte("{"), []byte(",")

func drops(obj []byte, keep func([]byte) bool) bool {
	for m := range members(obj) {
		if !keep(m.rawKey(obj)) {
			return true
		}
	}
	return false
}

// addMembers inserts `"a":1,"b":2` behind the opening brace.
func addMembers(obj, added []byte) []byte {
	if len(added) == 0 {
		return obj
	}
	open := skipSpace(obj, 0) + 1
	if open > len(obj) || obj[open-1] != '{' {
		return obj
	}
	out := make([]byte, 0, len(obj)+len(added)+1)
	out = append(append(out, obj[:open]...), added...)
	if i := skipSpace(obj, open); i < len(obj) && obj[i] != '}' {
		out = append(out, ',')
	}
	return append(out, obj[open:]...)
}

// insertion is the edit that puts members behind the opening brace of obj.
func insertion(obj, added []byte) Edit {
	open := skipSpace(obj, 0) + 1
	if i := skipSpace(obj, open); i < len(obj) && obj[i] != '}' {
		added = append(added, ',')
	}
	return Edit{durward.Span{Start: open, End: open}, added}
}

// appendMember appends `"key":value`, with a comma before it unless dst is
// empty or ends with an opening brace.
func appendMember(dst []byte, key string, value []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(AppendQuote(dst, key), ':'), value...)
}

// AppendRequest appends a JSON-RPC request. id and params are raw; nil params
// are left out.
func AppendRequest(dst, id []byte, method string, params []byte) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	return appendCall(dst, method, params)
}

// AppendNotification appends a JSON-RPC notification; nil params are left out.
func AppendNotification(dst []byte, method string, params []byte) []byte {
	return appendCall(append(dst, `{"jsonrpc":"2.0"`...), method, params)
}

func appendCall(dst []byte, method string, params []byte) []byte {
	dst = AppendQuote(append(dst, `,"method":`...), method)
	if params != nil {
		dst = append(append(dst, `,"params":`...), params...)
	}
	return append(dst, '}')
}

// AppendResult appends a JSON-RPC response with a raw result.
func AppendResult(dst, id, result []byte) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	dst = append(append(dst, `,"result":`...), result...)
	return append(dst, '}')
}

// ResultParts returns a JSON-RPC response with a result in parts that are sent
// one after the other, so that a large result is not copied.
func ResultParts(id []byte, result Pieces) Pieces {
	head := append(append(make([]byte, 0, len(id)+40), `{"jsonrpc":"2.0","id":`...), id...)
	parts := append(make(Pieces, 0, len(result)+2), append(head, `,"result":`...))
	return append(append(parts, result...), closing)
}

var closing = []byte("}") // of the envelope

// AppendError appends a JSON-RPC error response. A nil id is left out, which
// the MCP schemas ask for where JSON-RPC itself would write null.
func AppendError(dst, id []byte, e *durward.RPCError) []byte {
	dst = append(dst, `{"jsonrpc":"2.0",`...)
	if id != nil {
		dst = append(append(append(dst, `"id":`...), id...), ',')
	}
	return append(AppendErrorObject(append(dst, `"error":`...), e), '}')
}

// AppendErrorObject appends the error object alone: as received when it came
// from a peer.
func AppendErrorObject(dst []byte, e *durward.RPCError) []byte {
	if e.Raw != nil {
		return append(dst, e.Raw...)
	}
	dst = strconv.AppendInt(append(dst, `{"code":`...), int64(e.Code), 10)
	dst = AppendQuote(append(dst, `,"message":`...), e.Message)
	if e.Data != nil {
		dst = append(append(dst, `,"data":`...), e.Data...)
	}
	return append(dst, '}')
}

// OneLine returns a message without line breaks, for stdio. Valid JSON has
// them only between tokens. raw itself is returned when it has none.
func OneLine(raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	out := slices.Clone(raw)
	for i, c := range out {
		if isBreak(c) {
			out[i] = ' '
		}
	}
	return out
}

func isBreak(c byte) bool { return c == '\n' || c == '\r' }
