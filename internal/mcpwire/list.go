package mcpwire

import (
	"bytes"
	"errors"
	"fmt"
)

// List is a page of a list result.
type List struct {
	Items   [][]byte // raw, in order; each may be decided on
	Cursor  string   // of the next page; "" is a valid cursor, see More
	More    bool     // there is a next page
	TTL     []byte   // raw ttlMs; nil when absent
	Private bool     // cacheScope is not public
	Dropped []error  // why items were left out: the first few
	Left    int      // how many were left out
}

// droppedMost is of how many items a page tells why they were left out: a
// server pays two bytes for an item, and an error takes dozens.
const droppedMost = 20

// ReadList reads a scanned list result. Items that could be read in two ways
// (duplicate keys at any depth, keys that differ from routed ones only in
// case) or that lack their identity are left out and told of in Dropped and
// Left: one bad item must not cost the others.
func ReadList(method string, result []byte) (List, error) {
	field := ListField(method)
	items, ok := Field(result, field)
	if field == "" || !ok || !IsArray(items) {
		return List{}, fmt.Errorf("the result of %s has no array %q", method, field)
	}
	var l List
	for item := range Elements(items) {
		if err := CheckItem(method, item); err != nil {
			l.leave(err)
			continue
		}
		l.Items = append(l.Items, item)
	}
	if cursor, ok := Field(result, "nextCursor"); ok && !IsNull(cursor) {
		if l.Cursor, l.More = Text(cursor); !l.More {
			return List{}, errors.New("nextCursor is not a string")
		}
	}
	l.TTL, _ = Field(result, "ttlMs")
	scope, _ := Field(result, "cacheScope")
	l.Private = !IsText(scope, "public")
	return l, nil
}

func (l *List) leave(why error) {
	if l.Left++; l.Left <= droppedMost {
		l.Dropped = append(l.Dropped, why)
	}
}

// identity is the member that tells items of a list apart.
func identity(method string) string {
	switch method {
	case MethodResourcesList:
		return "uri"
	case MethodTemplatesList:
		return "uriTemplate"
	}
	return "name"
}

var itemKeys = keys("name", "uri", "uriTemplate", "inputSchema", "outputSchema", "annotations", "description", "title", "_meta")

// CheckItem checks one item of a list that something will be decided on.
func CheckItem(method string, item []byte) error {
	if !IsObject(item) {
		return errors.New("an item is not an object")
	}
	id := identity(method)
	name, ok := FieldText(item, id)
	if !ok || name == "" {
		return fmt.Errorf("an item has no %s", id)
	}
	if err := Value(item, Limits{Bytes: len(item), Depth: MaxDepth}); err != nil {
		return fmt.Errorf("item %q: %w", clip(name), err)
	}
	for m := range members(item) {
		key := decodedKey(m.rawKey(item))
		for _, known := range itemKeys {
			if bytes.EqualFold(key, known) && !bytes.Equal(key, known) {
				return fmt.Errorf("item %q: key %s differs from a known one only in case", clip(name), shown(key))
			}
		}
	}
	schema, ok := Field(item, "inputSchema")
	if method == MethodToolsList && (!ok || !IsObject(schema)) {
		return fmt.Errorf("item %q: inputSchema is not an object", clip(name))
	}
	return nil
}

// ToLegacyItem returns a list item for a caller of an older revision: a tool
// without an outputSchema that its validators refuse.
func ToLegacyItem(method, revision string, item []byte) []byte {
	if method != MethodToolsList || Revision(revision).AnyStructuredContent() {
		return item
	}
	schema, ok := Field(item, "outputSchema")
	if !ok {
		return item
	}
	if kind, _ := Field(schema, "type"); IsText(kind, "object") {
		return item
	}
	return DropFields(item, "outputSchema")
}

// ToModernItem returns a list item for a caller of 2026-07-28: a tool without
// execution, which belongs to the tasks of 2025-11-25.
func ToModernItem(method string, item []byte) []byte {
	if method != MethodToolsList {
		return item
	}
	return DropFields(item, "execution")
}
