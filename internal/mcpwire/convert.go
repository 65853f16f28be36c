package mcpwire

import (
	"bytes"
	"slices"
)

// ResultType returns what kind of result it is (MCP 2026-07-28): "complete"
// when it does not say, "" when what it says is no text.
func ResultType(result []byte) string {
	v, ok := Field(result, "resultType")
	if !ok {
		return "complete"
	}
	kind, _ := Text(v)
	return kind
}

// Hints complete a result for a caller of 2026-07-28.
type Hints struct {
	ServerInfo []byte // raw Implementation for _meta; nil leaves it out
}

// ToModernResult returns a result of an older revision in the shape of
// 2026-07-28: with resultType, stale at once and private where the method has
// cache hints, with the server in _meta, and tools without execution. What is
// there already stays, so a modern result passes through.
func ToModernResult(method string, result []byte, h Hints) []byte {
	_, typed := Field(result, "resultType")
	if field := ListField(method); field == "tools" {
		result = mapItems(result, field, func(item []byte) []byte { return ToModernItem(method, item) })
	}
	if method == MethodToolsCall && !typed {
		result = withContent(result)
	}
	result = withServerInfo(result, h.ServerInfo)
	var added []byte
	if !typed {
		added = appendMember(added, "resultType", []byte(`"complete"`))
	}
	if Cacheable(method) && ResultType(result) == "complete" {
		added = uncached(added, result)
	}
	return addMembers(result, added)
}

func uncached(dst, result []byte) []byte {
	if _, ok := Field(result, "ttlMs"); !ok {
		dst = appendMember(dst, "ttlMs", []byte("0"))
	}
	if _, ok := Field(result, "cacheScope"); !ok {
		dst = appendMember(dst, "cacheScope", []byte(`"private"`))
	}
	return dst
}

func withServerInfo(result, info []byte) []byte {
	if info == nil {
		return result
	}
	meta, ok := Field(result, "_meta")
	if !ok || !IsObject(meta) {
		value := append(AppendQuote([]byte("{"), MetaServerInfo), ':')
		return SetField(result, "_meta", append(append(value, info...), '}'))
	}
	if _, has := Field(meta, MetaServerInfo); has {
		return result
	}
	return replaceField(result, "_meta", AddField(meta, MetaServerInfo, info))
}

// ToLegacyResult returns a result for a caller of an older revision: without
// resultType, cache hints and server identity, without outputSchema and
// structuredContent that its validators refuse, and with text in place of
// content blocks that the revision does not know. Structured content without
// content is given as text, so that it is not lost.
//
// Only a complete result can be converted; any other has no older form and is
// returned as it is, for the caller to have handled before.
func ToLegacyResult(method, revision string, result []byte) Pieces {
	if ResultType(result) != "complete" {
		return Pieces{result}
	}
	l := legacyResult{method: method, revision: Revision(revision)}
	if method != MethodToolsCall {
		return rewrite(result, l.member)
	}
	var room [8]member // a result can be long: it is gone over once
	all := slices.AppendSeq(room[:0], members(result))
	for _, m := range all {
		switch key := m.rawKey(result); {
		case isRawText(key, "content"):
			l.content = m.of(result)
		case isRawText(key, "structuredContent"):
			l.structured = m.of(result)
		}
	}
	out := rewriteMembers(result, slices.Values(all), l.member)
	if l.content == nil { // which every revision requires
		return Pieces{AddField(out.Join(), "content", l.converted([]byte("[]")))}
	}
	return out
}

// legacyResult is how the members of a result are converted.
type legacyResult struct {
	method              string
	revision            Revision
	content, structured []byte // of a tool result
}

// member is for [rewrite].
func (l *legacyResult) member(key, value []byte) (next []byte, keep bool) {
	switch {
	case isRawText(key, "resultType"):
		return nil, false
	case isRawText(key, "ttlMs"), isRawText(key, "cacheScope"):
		return value, !Cacheable(l.method)
	case isRawText(key, "_meta"):
		left := DropFields(value, MetaServerInfo)
		return left, len(left) == len(value) || !emptyObject(left)
	case l.method == MethodToolsCall && isRawText(key, "content"):
		return l.converted(value), true
	case l.method == MethodToolsCall && isRawText(key, "structuredContent"):
		return value, IsObject(value)
	case l.method == MethodPromptsGet && isRawText(key, "messages"):
		return mapElements(value, l.message), true
	case l.method == MethodToolsList && isRawText(key, "tools"):
		return mapElements(value, func(item []byte) []byte { return ToLegacyItem(l.method, string(l.revision), item) }), true
	}
	return value, true
}

// converted is the content of a tool result. Structured content that would be
// lost is said in it.
func (l *legacyResult) converted(content []byte) []byte {
	if l.structured != nil && emptyArray(content) && (!IsObject(l.structured) || !l.revision.StructuredContent()) {
		return append(append([]byte("["), textBlock(string(l.structured), nil)...), ']')
	}
	return mapElements(content, func(block []byte) []byte { return legacyBlock(l.revision, block) })
}

func (l *legacyResult) message(message []byte) []byte {
	block, ok := Field(message, "content")
	if !ok || !IsObject(block) {
		return message
	}
	if converted := legacyBlock(l.revision, block); !bytes.Equal(converted, block) {
		return replaceField(message, "content", converted)
	}
	return message
}

// withContent adds the content that every revision requires of a tool result.
func withContent(result []byte) []byte {
	if _, ok := Field(result, "content"); ok {
		return result
	}
	return AddField(result, "content", []byte("[]"))
}

// legacyBlock gives text in place of a content block that a revision does not know.
func legacyBlock(r Revision, block []byte) []byte {
	kind, _ := FieldText(block, "type")
	switch {
	case kind == "resource_link" && !r.ResourceLinks():
		uri, _ := FieldText(block, "uri")
		name, _ := FieldText(block, "title")
		if name == "" {
			name, _ = FieldText(block, "name")
		}
		if name != "" {
			uri = name + ": " + uri
		}
		return textBlock(uri, block)
	case kind == "audio" && !r.Audio():
		mime, _ := FieldText(block, "mimeType")
		return textBlock("[audio of type "+mime+" left out: this protocol revision has no audio]", block)
	}
	return block
}

// textBlock makes a text block, with the annotations of the block it replaces.
func textBlock(text string, of []byte) []byte {
	b := AppendQuote([]byte(`{"type":"text","text":`), text)
	if a, ok := Field(of, "annotations"); ok {
		b = appendMember(b, "annotations", a)
	}
	return append(b, '}')
}

// mapItems converts the elements of the array at a key of obj; obj itself is
// returned when none changed.
func mapItems(obj []byte, key string, convert func([]byte) []byte) []byte {
	arr, ok := Field(obj, key)
	if !ok {
		return obj
	}
	next := mapElements(arr, convert)
	if len(next) == len(arr) && bytes.Equal(next, arr) {
		return obj
	}
	return replaceField(obj, key, next)
}

// mapElements converts the elements of an array; arr itself is returned when
// none changed, or when it is none.
func mapElements(arr []byte, convert func([]byte) []byte) []byte {
	if !IsArray(arr) {
		return arr
	}
	var edits []Edit
	for e := range elements(arr) {
		item := arr[e.Start:e.End:e.End]
		if next := convert(item); !bytes.Equal(next, item) {
			edits = append(edits, Edit{e, next})
		}
	}
	return Splice(arr, edits...)
}

func emptyArray(arr []byte) bool {
	for range elements(arr) {
		return false
	}
	return true
}
