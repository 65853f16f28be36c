package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"durward"
)

const second = time.Second

// scalar is one kind of value in the file: how it is read and how the schema
// describes it.
type scalar interface {
	// accepts lists the YAML types that may be written.
	accepts() []string
	// parse takes the text of the value; the refusal does not repeat it.
	parse(text string) *refusal
	// describe is the kind as JSON Schema.
	describe() object
}

type refusal struct {
	text string // goes on from the value: "is not a duration"
	hint string
}

// object is a JSON object of the schema.
type object = map[string]any

// The kinds of values.
type (
	text  string // any text that is not empty
	link  string // a URL; its shape is checked with the upstream
	loose string // text, number or boolean, as it is written
	word  string // one of the words of the tag
	// guardMode is a word in a map, where no tag tells the words.
	guardMode string
	carrier   string // what a classifier is asked about
	name      string // of a role
	pattern   string // of a rule
	path      string // of a file or folder
	address   string // host:port
	origin    string // scheme://host[:port]
	host      string // a host name or address, without port
	secret    string // a key
	duration  time.Duration
	every     time.Duration // a duration; negative for off
	size      int64
	count     int
	flag      bool

	// clientTimeout is a duration, or a number that is ignored.
	clientTimeout struct {
		set     duration
		ignored bool
	}
	// secrets are one secret or a list of them.
	secrets []secret
	// bait is a planted value; baits are one or a list of them.
	bait  string
	baits []bait
)

// The kinds of keys that are accepted without a meaning here.
type (
	ignored    struct{} // silently: it is for other programs
	clientOnly struct{} // with a warning: only a client makes use of it
	later      struct{} // refused: it would have a meaning that we do not have yet
)

func (v *text) accepts() []string { return []string{"!!str"} }
func (v *text) describe() object  { return object{"type": "string", "minLength": 1} }
func (v *text) parse(s string) *refusal {
	if s == "" {
		return &refusal{text: "is empty"}
	}
	*v = text(s)
	return nil
}

func (v *link) accepts() []string { return []string{"!!str"} }
func (v *link) describe() object {
	return object{"type": "string", "pattern": `^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+([/?][^#\s]*)?$`}
}

func (v *link) parse(s string) *refusal {
	if s == "" {
		return &refusal{text: "is empty"}
	}
	*v = link(s)
	return nil
}

func (v *loose) accepts() []string { return []string{"!!str", "!!int", "!!float", "!!bool"} }
func (v *loose) describe() object {
	return object{"type": []any{"string", "number", "boolean"}}
}
func (v *loose) parse(s string) *refusal { *v = loose(s); return nil }

func (v *word) accepts() []string       { return []string{"!!str"} }
func (v *word) describe() object        { return object{"type": "string"} } // the reader adds the words
func (v *word) parse(s string) *refusal { *v = word(s); return nil }

func (v *guardMode) accepts() []string { return []string{"!!str"} }
func (v *guardMode) describe() object  { return withWords(object{}, guardModes) }
func (v *guardMode) parse(s string) *refusal {
	*v = guardMode(s)
	return check((*word)(v), s, guardModes)
}

func (v *carrier) accepts() []string { return []string{"!!str"} }
func (v *carrier) describe() object  { return withWords(object{}, carriers) }
func (v *carrier) parse(s string) *refusal {
	*v = carrier(s)
	return check((*word)(v), s, carriers)
}

const (
	guardModes = "observe|flag|redact|hold|block"
	carriers   = "results|prompts|resources|asks|definitions"
)

func (v *name) accepts() []string { return []string{"!!str"} }
func (v *name) describe() object  { return object{"type": "string", "pattern": namePattern} }
func (v *name) parse(s string) *refusal {
	if durward.CheckRoleName(s) != nil {
		return &refusal{text: "is not the name of a role", hint: "use letters, digits and . _ -"}
	}
	*v = name(s)
	return nil
}

func (v *pattern) accepts() []string { return []string{"!!str"} }
func (v *pattern) describe() object {
	return object{"type": "string", "minLength": 1, "maxLength": 512, "allOf": []any{
		object{"pattern": `^[^*]*(\*[^*]*){0,8}$`},
		object{"pattern": `^[^\x00-\x1f\x7f]*$`},
	}}
}

func (v *pattern) parse(s string) *refusal {
	if err := durward.CheckPattern(s); err != nil {
		return &refusal{text: "is not a pattern: " + err.Error(), hint: "write it as files__read_*"}
	}
	*v = pattern(s)
	return nil
}

func (v *path) accepts() []string { return []string{"!!str"} }
func (v *path) describe() object  { return (*text)(nil).describe() }
func (v *path) parse(s string) *refusal {
	if s == "" || strings.ContainsRune(s, 0) {
		return &refusal{text: "is not a path"}
	}
	*v = path(s)
	return nil
}

const addressPattern = `^(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._-]*):[0-9]{1,5}$`

func (v *address) accepts() []string { return []string{"!!str"} }
func (v *address) describe() object  { return object{"type": "string", "pattern": addressPattern} }
func (v *address) parse(s string) *refusal {
	no := &refusal{text: "is not host:port", hint: "write it as 127.0.0.1:8080"}
	if !regexp.MustCompile(addressPattern).MatchString(s) {
		return no
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return no
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return &refusal{text: "has a port above 65535"}
	}
	*v = address(s)
	return nil
}

func (v *origin) accepts() []string { return []string{"!!str"} }
func (v *origin) describe() object {
	return object{"type": "string", "pattern": `^https?://[^/?#@\s]+$`}
}

func (v *origin) parse(s string) *refusal {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || s != u.Scheme+"://"+u.Host {
		return &refusal{text: "is not an origin", hint: "write it as https://app.example, without a path"}
	}
	*v = origin(strings.ToLower(s))
	return nil
}

func (v *host) accepts() []string { return []string{"!!str"} }
func (v *host) describe() object {
	return object{"type": "string", "pattern": `^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])$`}
}

func (v *host) parse(s string) *refusal {
	if !regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])$`).MatchString(s) {
		return &refusal{text: "is not a host name", hint: "write it as gateway.example, without scheme and port"}
	}
	*v = host(strings.ToLower(s))
	return nil
}

// A key needs to be hard to guess and easy to carry in a header.
const (
	minSecret = 24
	maxSecret = 512
)

func (v *secret) accepts() []string { return []string{"!!str"} }
func (v *secret) describe() object {
	return object{"type": "string", "pattern": fmt.Sprintf(`^[!-~]{%d,%d}$`, minSecret, maxSecret)}
}

func (v *secret) parse(s string) *refusal {
	if strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		return &refusal{text: "has characters that are not visible ASCII", hint: "use letters, digits and signs without spaces"}
	}
	if len(s) < minSecret || len(s) > maxSecret {
		return &refusal{text: fmt.Sprintf("has %d characters, not %d to %d", len(s), minSecret, maxSecret), hint: "longer ones are not guessed: openssl rand -base64 24 makes one; a key of an agent can be left out and minted with durward agent rotate"}
	}
	*v = secret(s)
	return nil
}

// What is planted may have the form of what it stands for, such as the id of a
// key. A short one must not be a word that an ordinary text holds.
const (
	minBait     = 12
	longBait    = 24
	variedBait  = 8 // different characters
	baitPattern = `^[!-~]{%d,%d}$`
)

func (v *bait) accepts() []string { return []string{"!!str"} }
func (v *bait) describe() object {
	return object{"type": "string", "pattern": fmt.Sprintf(baitPattern, minBait, maxSecret)}
}

func (v *bait) parse(s string) *refusal {
	if strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		return &refusal{text: "has characters that are not visible ASCII", hint: "use letters, digits and signs without spaces"}
	}
	if len(s) < minBait || len(s) > maxSecret {
		return &refusal{text: fmt.Sprintf("has %d characters, not %d to %d", len(s), minBait, maxSecret), hint: "plant a value that looks like a real one, such as the id of a key"}
	}
	if len(s) < longBait && !unmistakable(s) {
		return &refusal{text: "could be found in an ordinary text", hint: fmt.Sprintf("mix letters and digits, %d different characters at least, or take %d characters", variedBait, longBait)}
	}
	*v = bait(s)
	return nil
}

func unmistakable(s string) bool {
	different := map[rune]bool{}
	for _, r := range s {
		different[r] = true
	}
	return len(different) >= variedBait && strings.ContainsAny(s, "0123456789") &&
		strings.ContainsFunc(s, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' })
}

const maxDuration = 366 * 24 * time.Hour

func (v *duration) accepts() []string { return []string{"!!str"} }
func (v *duration) describe() object {
	return object{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`}
}

func (v *duration) parse(s string) *refusal {
	d, err := time.ParseDuration(s)
	if err != nil || strings.ContainsAny(s, "+-µμn") || strings.Contains(s, "us") {
		return &refusal{text: "is not a duration", hint: "write it as 30s, 5m or 1h30m"}
	}
	if d <= 0 || d > maxDuration {
		return &refusal{text: "is not between 1ms and a year"}
	}
	*v = duration(d)
	return nil
}

func (v *every) accepts() []string { return []string{"!!str", "!!bool"} }
func (v *every) describe() object {
	return object{"anyOf": []any{(*duration)(nil).describe(), object{"const": "off"}, object{"const": false}}}
}

func (v *every) parse(s string) *refusal {
	if s == "off" || s == "false" {
		*v = -1
		return nil
	}
	var d duration
	if bad := d.parse(s); bad != nil {
		return &refusal{text: bad.text, hint: "write it as 5m or 1h, or off"}
	}
	*v = every(d)
	return nil
}

func (v *clientTimeout) accepts() []string { return []string{"!!str", "!!int", "!!float"} }
func (v *clientTimeout) describe() object {
	return object{"anyOf": []any{(*duration)(nil).describe(), object{"type": "number"}}}
}

func (v *clientTimeout) parse(s string) *refusal {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		v.ignored = true
		return nil
	}
	return v.set.parse(s)
}

func (v *size) accepts() []string { return []string{"!!str", "!!int"} }
func (v *size) describe() object {
	return object{"anyOf": []any{
		object{"type": "string", "pattern": `^[0-9]{1,12}(B|KiB|MiB|GiB|kB|KB|MB|GB)?$`},
		object{"type": "integer", "minimum": 1},
	}}
}

func (v *size) parse(s string) *refusal {
	no := &refusal{text: "is not a size", hint: "write it as 4MiB or 65536"}
	digits := strings.TrimRight(s, "BKMGikb")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, ok := sizeUnit(s[len(digits):])
	if err != nil || !ok || len(digits) > 12 || digits[0] == '+' || digits[0] == '-' {
		return no
	}
	if n < 1 || n > (1<<40)/unit {
		return &refusal{text: "is not between 1B and 1024GiB"}
	}
	*v = size(n * unit)
	return nil
}

func sizeUnit(s string) (int64, bool) {
	switch s {
	case "", "B":
		return 1, true
	case "KiB":
		return 1 << 10, true
	case "MiB":
		return 1 << 20, true
	case "GiB":
		return 1 << 30, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	}
	return 0, false
}

func (v *count) accepts() []string { return []string{"!!int"} }
func (v *count) describe() object {
	return object{"type": "integer", "minimum": 1, "maximum": 10_000_000}
}

func (v *count) parse(s string) *refusal {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n < 1 || n > 10_000_000 {
		return &refusal{text: "is not a number between 1 and 10000000"}
	}
	*v = count(n)
	return nil
}

func (v *flag) accepts() []string { return []string{"!!bool"} }
func (v *flag) describe() object  { return object{"type": "boolean"} }
func (v *flag) parse(s string) *refusal {
	switch s {
	case "true":
		*v = true
	case "false":
		*v = false
	default:
		return &refusal{text: "is not true or false"}
	}
	return nil
}

const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`
