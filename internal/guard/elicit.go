package guard

import (
	"bytes"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/text"
	"durward/internal/mcpwire"
)

// Ask inspects what a server asks of a person or a model: the params of an
// elicitation or a sampling request. A form must not ask for secrets (MCP
// 2026-07-28, elicitation); its texts are read like a result's.
func (e *Engine) Ask(params []byte) *Report {
	r := newReport()
	carrier.Walk(params, func(path []string, value []byte, key bool) {
		if key || len(value) < 4 {
			return
		}
		t := e.Text(value)
		t = &Report{Effect: t.Effect, Would: t.Would, Score: t.Score, Partial: t.Partial, Findings: append(t.Findings[:0:0], t.Findings...)}
		t.Prefix("/" + strings.Join(path, "/") + " ")
		r.Merge(t)
	})
	f := form{e: e, r: r}
	if mcpwire.IsObject(params) {
		f.read(params)
	}
	return r
}

// form is a question that is read for what it wants to know.
type form struct {
	e    *Engine
	r    *Report
	free bool // something may be written into it
	some bool // it has fields
}

func (f *form) read(params []byte) {
	schema, kind := false, wantsStrict
	for key, value := range mcpwire.Fields(params) {
		switch key {
		case "requestedSchema":
			schema = true
			f.fields(value, "/requestedSchema", 0)
		case "message":
			kind = wants
		}
	}
	f.free = f.free || !f.some
	if !schema {
		if mode, _ := mcpwire.FieldText(params, "mode"); mode == "url" { // a page elsewhere asks, not the form
			return
		}
	}
	if !f.free {
		return
	}
	carrier.Walk(params, func(path []string, value []byte, key bool) {
		if key || len(path) > 0 && path[0] == "requestedSchema" {
			return
		}
		if kind == wants && len(value) > longestQuestion {
			f.tell("/"+strings.Join(path, "/"), "is longer than a question that people read", 0.85)
		} else if asked(value, kind) {
			f.tell("/"+strings.Join(path, "/"), "asks for a credential", 0.85)
		}
	})
}

func (f *form) tell(where, what string, score float64) {
	f.e.add(f.r, rule("elicitation.secret"), score, where, what)
}

// longestQuestion is how long the text of a form may be.
const longestQuestion = 32 << 10

// deepestForm is how deep fields may stand; a form is flat.
const deepestForm = 16

// fields reads the properties of a schema, wherever it has some.
func (f *form) fields(schema []byte, where string, depth int) {
	if depth > deepestForm {
		f.free = true
		f.e.partial(f.r, false)
		return
	}
	switch {
	case mcpwire.IsObject(schema):
		for key, value := range mcpwire.Fields(schema) {
			at := where + "/" + escapePointer(key)
			if key != "properties" || !mcpwire.IsObject(value) {
				f.fields(value, at, depth+1)
				continue
			}
			for name, field := range mcpwire.Fields(value) {
				f.field(name, field, at)
				f.fields(field, at+"/"+escapePointer(name), depth+1)
			}
		}
	case len(schema) > 0 && schema[0] == '[':
		for value := range mcpwire.Elements(schema) {
			f.fields(value, where, depth+1)
		}
	}
}

// field judges one field; where is that of all of them: a name is the server's
// word, and is not told to who reads where. What is chosen from a list, or yes and no, is no secret.
func (f *form) field(name string, field []byte, where string) {
	f.some = true
	if !mcpwire.IsObject(field) {
		f.free = true
		return
	}
	if kind, _ := mcpwire.FieldText(field, "type"); kind == "boolean" || listed(field) {
		return
	}
	f.free = true
	format, _ := mcpwire.FieldText(field, "format")
	title, _ := mcpwire.FieldText(field, "title")
	description, _ := mcpwire.FieldText(field, "description")
	switch {
	case strings.EqualFold(format, "password"):
		f.tell(where, "has the format of a password", 0.95)
	case namesSecret(name):
		f.tell(where, "asks for "+name, 0.95)
	case len(title)+len(description) > longestQuestion:
		f.tell(where, "is longer than a question that people read", 0.85)
	case namesSecret(title) || asked([]byte(title), wants):
		f.tell(where, "asks for "+title, 0.9)
	case asked([]byte(description), wants):
		f.tell(where, "asks for a credential", 0.85)
	}
}

// listed reports a field whose values are given.
func listed(field []byte) bool {
	for _, key := range []string{"enum", "oneOf", "const", "anyOf"} {
		v, ok := mcpwire.Field(field, key)
		if ok && (key == "enum" || key == "const" || bytes.Contains(v, []byte(`"const"`))) {
			return true
		}
	}
	items, ok := mcpwire.Field(field, "items")
	return ok && mcpwire.IsObject(items) && listed(items)
}

// asksSecret reports names of fields that hold credentials.
func asksSecret(name string) bool {
	n := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	for _, w := range []string{"password", "passwd", "passphrase", "secret", "apikey", "accesstoken", "authtoken", "privatekey", "seedphrase", "mnemonic", "otp", "onetimecode", "pin", "cvv", "cvc", "cardnumber", "ssn", "socialsecurity", "credential"} {
		if n == w || len(w) > 4 && strings.Contains(n, w) {
			return true
		}
	}
	return false
}

// namesSecret reports a label of a field into which a credential goes: not that
// of a credential's name, length or age.
func namesSecret(label string) bool {
	var folder text.Folder
	label = string(folder.Fold([]byte(label)).Bytes)
	if len(label) > mostLabel {
		return false
	}
	ws := partsOf(label)
	if len(ws) == 0 {
		return false
	}
	switch ws[len(ws)-1] {
	case "name", "names", "id", "ids", "length", "policy", "type", "count", "label", "path", "ttl", "expiry", "expires", "enabled", "required", "version", "arn", "manager", "reset", "rotation", "url", "format", "strength", "symbol", "limit", "budget":
		return false
	}
	if takesCredential(label) {
		return ws[0] != "public" && ws[0] != "max"
	}
	for _, w := range ws {
		switch w {
		case "pwd", "pass", "passcode", "passwort", "kennwort", "tan", "cookie", "cookies", "totp", "2fa", "mfa", "pat":
			return true
		}
	}
	return asked([]byte(strings.Join(ws, " ")), wants)
}

// mostLabel is how long the name of something is; what is longer is a text.
const mostLabel = 80
