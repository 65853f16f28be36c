package example

import (
	"encoding/json"
	"fmt"
)

// schema is a JSON Schema (2020-12) written out below. None has a "default":
// the SDK (v1.8.0) panics when it applies one to "arguments": null.
func schema(s string) json.RawMessage { return json.RawMessage(s) }

const searchInput = `{
  "type": "object",
  "properties": {
    "query": {"type": "string", "maxLength": 200, "description": "Words that must all occur; empty lists every note."},
    "tag": {"type": "string", "maxLength": 40, "description": "Only notes with this tag."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How many notes to return; 20 unless told."}
  },
  "additionalProperties": false
}`

const searchOutput = `{
  "type": "object",
  "properties": {
    "total": {"type": "integer", "description": "How many notes match."},
    "notes": {"type": "array", "items": {
      "type": "object",
      "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
      "required": ["id", "title", "tags"]
    }}
  },
  "required": ["total", "notes"]
}`

const idInput = `{
  "type": "object",
  "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "Id of the note, as notes_search shows it."}},
  "required": ["id"],
  "additionalProperties": false
}`

const noteOutput = `{
  "type": "object",
  "properties": {
    "id": {"type": "string"}, "title": {"type": "string"}, "text": {"type": "string"},
    "tags": {"type": "array", "items": {"type": "string"}}
  },
  "required": ["id", "title", "tags", "text"]
}`

const confirmSchema = `{
  "type": "object",
  "properties": {"confirm": {"type": "boolean", "title": "Delete it", "description": "The note cannot be brought back."}},
  "required": ["confirm"]
}`

const reportInput = `{
  "type": "object",
  "properties": {"pause_ms": {"type": "integer", "minimum": 0, "maximum": 2000, "description": "Pause before each note, in milliseconds; 200 unless told."}},
  "additionalProperties": false
}`

const reportOutput = `{
  "type": "object",
  "properties": {
    "notes": {"type": "integer"}, "words": {"type": "integer"},
    "tags": {"type": "object", "additionalProperties": {"type": "integer"}}
  },
  "required": ["notes", "words", "tags"]
}`

const clockInput = `{
  "type": "object",
  "properties": {"zone": {"type": "string", "maxLength": 64, "description": "IANA time zone, for example Europe/Paris."}},
  "additionalProperties": false
}`

const clockOutput = `{
  "type": "object",
  "properties": {"time": {"type": "string", "format": "date-time"}, "zone": {"type": "string"}, "unix": {"type": "integer"}},
  "required": ["time", "zone", "unix"]
}`

const statsInput = `{
  "type": "object",
  "properties": {"text": {"type": "string", "maxLength": 1048576}},
  "required": ["text"],
  "additionalProperties": false
}`

const statsOutput = `{
  "type": "object",
  "properties": {"bytes": {"type": "integer"}, "characters": {"type": "integer"}, "words": {"type": "integer"}, "lines": {"type": "integer"}},
  "required": ["bytes", "characters", "words", "lines"]
}`

// addInput carries the bounds of a notebook.
func addInput() json.RawMessage {
	return schema(fmt.Sprintf(`{
  "type": "object",
  "properties": {
    "title": {"type": "string", "minLength": 1, "maxLength": %d, "pattern": "^[^\\n]*$"},
    "text": {"type": "string", "maxLength": %d},
    "tags": {"type": "array", "maxItems": %d, "items": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"}}
  },
  "required": ["title", "text"],
  "additionalProperties": false
}`, maxTitle, maxText, maxTags))
}
