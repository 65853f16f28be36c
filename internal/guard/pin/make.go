package pin

import (
	"fmt"

	"durward"
	"durward/internal/mcpwire"
)

// Make computes the pin of a definition as an upstream lists it. Of resources
// it leaves out what changes whenever their content does: their size and when
// they were last modified.
func Make(upstream, kind, name string, definition []byte) (durward.Pin, error) {
	if kind == durward.PinResource {
		definition = lasting(definition)
	}
	p, err := Of(definition)
	if err != nil {
		return durward.Pin{}, err
	}
	canonical, err := mcpwire.AppendCanonical(nil, definition)
	if err != nil {
		return durward.Pin{}, fmt.Errorf("pin: canonical form: %w", err)
	}
	out := durward.Pin{
		Upstream: upstream, Kind: kind, Name: name, Digest: p.Digest.String(),
		Groups: make(map[string]string, len(p.Groups)), Definition: canonical,
	}
	for group, d := range p.Groups {
		out.Groups[group] = d.String()
	}
	return out, nil
}

func lasting(resource []byte) []byte {
	if !mcpwire.IsObject(resource) {
		return resource
	}
	resource = mcpwire.DropFields(resource, "size")
	if notes, ok := mcpwire.Field(resource, "annotations"); ok && mcpwire.IsObject(notes) {
		if kept := mcpwire.DropFields(notes, "lastModified"); len(kept) != len(notes) {
			resource = mcpwire.SetField(resource, "annotations", kept)
		}
	}
	return resource
}

// Instructions is what a server says of itself to the model, as a definition.
func Instructions(text string) []byte {
	return append(mcpwire.AppendQuote([]byte(`{"description":`), text), '}')
}

// Text is the instructions that a definition of Instructions holds.
func Text(definition []byte) string {
	s, _ := mcpwire.FieldText(definition, "description")
	return s
}
