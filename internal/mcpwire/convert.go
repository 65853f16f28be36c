package mcpwire

import "bytes"

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
func ToLegacyResult(method, revision string, result []byte) []byte {
	if ResultType(result) != "complete" {
		return result
	}
	r := Revision(revision)
	if Cacheable(method) {
		result = DropFields(result, "resultType", "ttlMs", "cacheScope")
	} else {
		result = DropFields(result, "resultType")
	}
	result = withoutServerInfo(result)
	switch method {
	case MethodToolsCall:
		return legacyCall(r, result)
	case MethodPromptsGet:
		return legacyPrompt(r, result)
	case MethodToolsList:
		return mapItems(result, "tools", func(item []byte) []byte { return ToLegacyItem(method, revision, item) })
	}
	return result
}

func withoutServerInfo(result []byte) []byte {
	meta, ok := Field(result, "_meta")
	if !ok {
		return result
	}
	left := DropFields(meta, MetaServerInfo)
	if len(left) == len(meta) {
		return result
	}
	if emptyObject(left) {
		return DropFields(result, "_meta")
	}
	return replaceField(result, "_meta", left)
}

// legacyCall converts the result of a tools/call.
func legacyCall(r Revision, result []byte) []byte {
	data, structured := Field(result, "structuredContent")
	if structured && !IsObject(data) {
		data = bytes.Clone(data)
		result = DropFields(result, "structuredContent")
	}
	result = withContent(result)
	if content, _ := Field(result, "content"); structured && emptyArray(content) && (!IsObject(data) || !r.StructuredContent()) {
		return replaceField(result, "content", append(append([]byte("["), textBlock(string(data), nil)...), ']'))
	}
	return mapItems(result, "content", func(block []byte) []byte { return legacyBlock(r, block) })
}

// withContent adds the content that every revision requires of a tool result.
func withContent(result []byte) []byte {
	if _, ok := Field(result, "content"); ok {
		return result
	}
	return AddField(result, "content", []byte("[]"))
}

func legacyPrompt(r Revision, result []byte) []byte {
	return mapItems(result, "messages", func(message []byte) []byte {
		block, ok := Field(message, "content")
		if !ok || !IsObject(block) {
			return message
		}
		if converted := legacyBlock(r, block); !bytes.Equal(converted, block) {
			return replaceField(message, "content", converted)
		}
		return message
	})
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
	if !ok || !IsArray(arr) {
		return obj
	}
	var edits []Edit
	for e := range elements(arr) {
		item := arr[e.Start:e.End:e.End]
		if next := convert(item); !bytes.Equal(next, item) {
			edits = append(edits, Edit{e, next})
		}
	}
	if edits == nil {
		return obj
	}
	return replaceField(obj, key, Splice(arr, edits...))
}

func emptyArray(arr []byte) bool {
	for range elements(arr) {
		return false
	}
	return true
}
