package guard

import (
	"bytes"

	"durward/internal/mcpwire"
)

// spoken are the texts of a reply that a model gets to read, decoded, and the
// structured content unless a text seems to say the same.
func spoken(reply []byte) [][]byte {
	var out [][]byte
	var parts [5][]byte
	mcpwire.Pick(reply, parts[:], "content", "contents", "messages", "result", "structuredContent")
	for _, list := range parts[:3] {
		for item := range mcpwire.Elements(list) {
			out = spokenItem(out, item, 0)
		}
	}
	if inner := parts[3]; mcpwire.IsObject(inner) { // of a task that is done
		return append(out, spoken(inner)...)
	}
	said := 0
	for _, text := range out {
		said += len(text)
	}
	if s := parts[4]; s != nil && said < len(s)/2 {
		out = append(out, s)
	}
	return out
}

// spokenItem takes the text of a content item, of its resource, or of the
// content of a message.
func spokenItem(out [][]byte, item []byte, depth int) [][]byte {
	if depth > 2 || !mcpwire.IsObject(item) || len(out) >= mostSpoken {
		return out
	}
	if text, ok := mcpwire.Field(item, "text"); ok {
		if b, ok := wording(text); ok && len(b) > 0 {
			return append(out, b)
		}
	}
	for _, member := range []string{"resource", "content"} {
		if inner, ok := mcpwire.Field(item, member); ok {
			out = spokenItem(out, inner, depth+1)
		}
	}
	return out
}

const mostSpoken = 64

// wording is what a JSON string says: a part of it where nothing in it is escaped.
func wording(value []byte) ([]byte, bool) {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return value[1 : n-1 : n-1], true
	}
	return mcpwire.AppendText(make([]byte, 0, len(value)), value)
}

// withoutTokens is a text without what stands for secrets: a token may be used
// anywhere, for it says nothing.
func withoutTokens(text []byte) []byte {
	if !bytes.Contains(text, []byte("[secret:")) && !bytes.Contains(text, []byte("[pii:")) {
		return text
	}
	var out []byte
	for len(text) > 0 {
		i := bytes.IndexByte(text, '[')
		if i < 0 {
			break
		}
		out = append(out, text[:i]...)
		text = text[i:]
		end := bytes.IndexByte(text, ']')
		if end < 0 || !bytes.HasPrefix(text, []byte("[secret:")) && !bytes.HasPrefix(text, []byte("[pii:")) {
			out = append(out, '[')
			text = text[1:]
			continue
		}
		text = text[end+1:]
	}
	return append(out, text...)
}
