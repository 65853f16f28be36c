package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// expander replaces the variables that clients allow in their files, and
// gathers those that it cannot.
type expander struct {
	o       Options
	project string
	dollar  bool // "$NAME" counts too (Gemini)
	missing []string
}

// One pass over a value, so that what a variable holds is never expanded again.
var (
	references = regexp.MustCompile(`\$\{[^{}]{1,200}\}|\$[A-Za-z_][A-Za-z0-9_]*`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (x *expander) value(s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	return references.ReplaceAllStringFunc(s, func(m string) string {
		switch {
		case m[1] == '{':
			return x.named(m, m[2:len(m)-1])
		case x.dollar:
			return x.variable(m[1:])
		}
		return m
	})
}

func (x *expander) values(in map[string]scalar) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = x.value(string(v))
	}
	return out
}

// named is the value of ${name}; what no client knows stays as it is.
func (x *expander) named(whole, name string) string {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "env":
		return x.variable(rest)
	case "input":
		return x.lack("${" + name + "}")
	case "userHome":
		return x.o.Home
	case "workspaceFolder", "workspaceFolderBasename":
		if x.project == "" {
			return x.lack(whole)
		}
		if kind == "workspaceFolder" {
			return x.project
		}
		return filepath.Base(x.project)
	case "pathSeparator", "/":
		return string(os.PathSeparator)
	}
	if plain, fallback, ok := strings.Cut(name, ":-"); ok {
		if v, set := x.o.env(plain); set && v != "" {
			return v
		}
		return fallback
	}
	if identifier.MatchString(name) {
		return x.variable(name)
	}
	return whole
}

func (x *expander) variable(name string) string {
	if v, ok := x.o.env(name); ok {
		return v
	}
	return x.lack("${" + name + "}")
}

func (x *expander) lack(what string) string {
	if !slices.Contains(x.missing, what) {
		x.missing = append(x.missing, what)
	}
	return ""
}

// err names what could not be replaced.
func (x *expander) err() error {
	if len(x.missing) == 0 {
		return nil
	}
	return fmt.Errorf("it needs %s, which is not known here; set it and try again, or add the server by hand", strings.Join(x.missing, ", "))
}
