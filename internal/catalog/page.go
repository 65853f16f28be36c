package catalog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"sync"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// Bounds of one page of a list.
const (
	pageItems = 2000
	pageBytes = 4 << 20
)

// How long a list may be cached by a modern client.
const (
	defaultTTL = 60 * time.Second
	troubleTTL = 5 * time.Second
)

// Encoding is the shape in which a page is wanted: a protocol revision.
type Encoding struct {
	Revision string
	Modern   bool
	Server   []byte // raw JSON Implementation: who answers
}

// pageCache holds encoded pages; it is filled at most once per kind, revision and page.
type pageCache struct {
	mu    sync.Mutex
	pages map[pageKey][]byte
}

type pageKey struct {
	kind     durward.Kind
	revision string
	start    int
}

// Page returns the result object of a list request as ready bytes, which the
// caller must not change. cursor is the raw text of a former nextCursor, nil
// for the first page; one that is not of this list gives BadRequest.
func (v *View) Page(kind durward.Kind, cursor *string, enc Encoding) ([]byte, error) {
	start, err := v.start(kind, cursor)
	if err != nil {
		return nil, err
	}
	key := pageKey{kind, enc.Revision, start}
	v.pages.mu.Lock()
	defer v.pages.mu.Unlock()
	if page, ok := v.pages.pages[key]; ok {
		return page, nil
	}
	if v.pages.pages == nil {
		v.pages.pages = make(map[pageKey][]byte)
	}
	page := v.encode(kind, start, enc)
	v.pages.pages[key] = page
	return page, nil
}

// listMethod is the method that lists a kind.
var listMethod = [kinds]string{
	durward.KindTool: mcpwire.MethodToolsList, durward.KindPrompt: mcpwire.MethodPromptsList,
	durward.KindResource: mcpwire.MethodResourcesList, durward.KindTemplate: mcpwire.MethodTemplatesList,
}

func (v *View) encode(kind durward.Kind, start int, enc Encoding) []byte {
	out := []byte{'{'}
	if enc.Modern {
		out = append(out, `"resultType":"complete",`...)
	}
	out = append(out, '"')
	out = append(out, mcpwire.ListField(listMethod[kind])...)
	out = append(out, `":[`...)
	items, next := v.visible[kind], start
	for ; next < len(items); next++ {
		one := v.listed(items[next], enc)
		if next > start && (next-start == pageItems || len(out)+len(one) > pageBytes) {
			break
		}
		if next > start {
			out = append(out, ',')
		}
		out = append(out, one...)
	}
	out = append(out, ']')
	if next < len(items) {
		out = append(out, `,"nextCursor":`...)
		out = append(out, mcpwire.Quote(v.cursor(kind, next))...)
	}
	if enc.Modern {
		out = append(out, `,"ttlMs":`...)
		out = strconv.AppendInt(out, v.TTL().Milliseconds(), 10)
		out = append(out, `,"cacheScope":"private"`...)
	}
	return append(v.appendMeta(out, enc), '}')
}

// appendMeta says who answers and which upstreams could not be asked.
func (v *View) appendMeta(out []byte, enc Encoding) []byte {
	var members []byte
	if enc.Modern && enc.Server != nil {
		members = append(append(members, `"io.modelcontextprotocol/serverInfo":`...), enc.Server...)
	}
	if trouble := v.trouble(); trouble != nil {
		if members != nil {
			members = append(members, ',')
		}
		members = append(append(members, `"durward/unavailable":`...), trouble...)
	}
	if members == nil {
		return out
	}
	out = append(append(out, `,"_meta":{`...), members...)
	return append(out, '}')
}

// trouble is the JSON array of the upstreams that the viewer reaches and that
// are not well; nil when all are.
func (v *View) trouble() []byte {
	var out []byte
	for _, s := range v.sections {
		if s.Trouble == "" {
			continue
		}
		if out == nil {
			out = []byte{'['}
		} else {
			out = append(out, ',')
		}
		out = append(append(out, `{"upstream":`...), mcpwire.Quote(s.Upstream)...)
		out = append(append(out, `,"reason":`...), mcpwire.Quote(s.Trouble)...)
		out = append(out, '}')
	}
	if out == nil {
		return nil
	}
	return append(out, ']')
}

// listed is an item as the viewer sees it: the received bytes, with the public
// name spliced in, in the shape of the wanted revision.
func (v *View) listed(it item, enc Encoding) []byte {
	def := it.op.Definition
	named := it.op.Kind == durward.KindTool || it.op.Kind == durward.KindPrompt
	if named && !v.bare && it.op.Public != it.op.Name {
		def = mcpwire.SetField(def, "name", mcpwire.Quote(it.op.Public))
	}
	def = it.settled(def)
	switch {
	case enc.Modern && !it.modern:
		return mcpwire.ToModernItem(listMethod[it.op.Kind], def)
	case !enc.Modern && it.op.Kind == durward.KindTool && !it.modern:
		return mcpwire.ToTaskItem(enc.Revision, it.at.tasks, def)
	case !enc.Modern && it.modern:
		return mcpwire.ToLegacyItem(listMethod[it.op.Kind], enc.Revision, def)
	}
	return def
}

// TTL is how long the view's lists stay true at least, as far as is known.
func (v *View) TTL() time.Duration {
	ttl := defaultTTL
	for _, s := range v.sections {
		if s.TTL > 0 {
			ttl = min(ttl, s.TTL)
		}
		if s.Trouble != "" {
			ttl = min(ttl, troubleTTL)
		}
	}
	return ttl
}

// cursor encodes where the next page starts, and of which list, so that a
// cursor of an older list is refused rather than answered wrongly. It is sealed:
// nobody makes one, and it is good only where the same is seen.
func (v *View) cursor(kind durward.Kind, start int) string {
	said := binary.AppendUvarint([]byte(v.Version(kind)), uint64(start))
	return base64.RawURLEncoding.EncodeToString(append(said, v.sealOf(said)...))
}

func (v *View) start(kind durward.Kind, cursor *string) (int, error) {
	if cursor == nil {
		return 0, nil
	}
	stale := &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The cursor is not of this list, or the list has changed; start again without a cursor."}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil || len(b) <= versionBytes+sealBytes {
		return 0, stale
	}
	said, seal := b[:len(b)-sealBytes], b[len(b)-sealBytes:]
	n, used := binary.Uvarint(said[versionBytes:])
	if used != len(said)-versionBytes || !hmac.Equal(seal, v.sealOf(said)) || string(said[:versionBytes]) != v.Version(kind) || n == 0 || n >= uint64(len(v.visible[kind])) {
		return 0, stale
	}
	return int(n), nil
}

func (v *View) sealOf(said []byte) []byte {
	h := hmac.New(sha256.New, v.seal[:])
	h.Write(said)
	return h.Sum(nil)[:sealBytes]
}

const (
	versionBytes = 12
	sealBytes    = 12
)

// Version tells two states of a list apart by what is in it, in order.
func (v *View) Version(kind durward.Kind) string {
	v.versions[kind].once.Do(func() {
		h := sha256.New()
		h.Write([]byte{byte(kind)})
		for _, it := range v.visible[kind] {
			h.Write([]byte(it.op.PolicyName))
			h.Write([]byte{0})
			h.Write(it.settled(it.op.Definition))
			h.Write([]byte{0})
		}
		v.versions[kind].sum = string(h.Sum(nil)[:versionBytes])
	})
	return v.versions[kind].sum
}

// version is computed when it is first asked for.
type version struct {
	once sync.Once
	sum  string
}
