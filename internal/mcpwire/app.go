package mcpwire

// The page of a tool of MCP Apps, in _meta: {"ui": {"resourceUri": ...}}, and
// flat in earlier drafts.
const (
	metaApp    = "ui"
	metaAppURI = "resourceUri"
	metaAppOld = "ui/resourceUri"
)

// AppURI is the page that a tool, or the result of one, names; "" for none.
func AppURI(object []byte) string {
	meta, ok := Field(object, "_meta")
	if !ok || !IsObject(meta) {
		return ""
	}
	if ui, ok := Field(meta, metaApp); ok && IsObject(ui) {
		if uri, ok := FieldText(ui, metaAppURI); ok {
			return uri
		}
	}
	uri, _ := FieldText(meta, metaAppOld)
	return uri
}

// SetAppURI names another page in place of the one that an object names.
func SetAppURI(object []byte, uri string) []byte {
	meta, ok := Field(object, "_meta")
	if !ok || !IsObject(meta) {
		return object
	}
	quoted := Quote(uri)
	if ui, ok := Field(meta, metaApp); ok && IsObject(ui) {
		if _, has := Field(ui, metaAppURI); has {
			meta = replaceField(meta, metaApp, replaceField(ui, metaAppURI, quoted))
		}
	}
	if _, has := Field(meta, metaAppOld); has {
		meta = replaceField(meta, metaAppOld, quoted)
	}
	return replaceField(object, "_meta", meta)
}

// MapURIs puts other URIs in place of some in a result: in links, embedded
// resources and contents, and where it names a page.
func MapURIs(result []byte, to map[string]string) []byte {
	swap := func(object []byte) []byte {
		uri, _ := FieldText(object, "uri")
		if public, ok := to[uri]; ok {
			return replaceField(object, "uri", Quote(public))
		}
		return object
	}
	result = mapItems(result, "contents", swap)
	result = mapItems(result, "content", func(block []byte) []byte {
		if resource, ok := Field(block, "resource"); ok && IsObject(resource) {
			if next := swap(resource); len(next) != len(resource) {
				return replaceField(block, "resource", next)
			}
		}
		return swap(block)
	})
	if public, ok := to[AppURI(result)]; ok {
		result = SetAppURI(result, public)
	}
	return result
}
