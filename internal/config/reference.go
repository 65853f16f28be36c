package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	maxSecretFile = 64 << 10
	variable      = `[A-Za-z_][A-Za-z0-9_]*`
)

// references replaces ${env:NAME} and ${file:path} in values.
type references struct {
	dir   string // relative paths start here
	env   func(string) (string, bool)
	files sources // that were read
}

// expand replaces the references in s; found tells whether there were any. A
// replacement is not searched again. "$${" stands for "${". Errors name the
// reference and never the value.
func (r *references) expand(s string) (out string, found bool, err *refusal) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), found, nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		body, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return "", found, &refusal{text: "has ${ without }", hint: "write $${ for the characters themselves"}
		}
		value, err := r.resolve(body)
		if err != nil {
			return "", found, err
		}
		found = true
		b.WriteString(value)
		s = rest
	}
}

func (r *references) resolve(body string) (string, *refusal) {
	kind, what, ok := strings.Cut(body, ":")
	switch {
	case ok && kind == "env":
		return r.variable(what)
	case ok && kind == "file":
		return r.file(what)
	case ok && kind == "vault":
		return "", &refusal{text: "refers to a vault, which is not available yet", hint: "use ${env:NAME} or ${file:path}"}
	}
	hint := "only ${env:NAME} and ${file:path} are replaced; write $${ for the characters themselves"
	if regexp.MustCompile(`^` + variable + `(:-.*)?$`).MatchString(body) {
		name, _, _ := strings.Cut(body, ":")
		hint = "did you mean ${env:" + name + "}?"
	}
	return "", &refusal{text: fmt.Sprintf("has an unknown reference ${%s}", shown(body)), hint: hint}
}

func (r *references) variable(name string) (string, *refusal) {
	if !regexp.MustCompile(`^` + variable + `$`).MatchString(name) {
		return "", &refusal{text: fmt.Sprintf("refers to the variable %q, which is not a name", shown(name)), hint: "write ${env:NAME}"}
	}
	value, ok := r.env(name)
	if !ok {
		return "", &refusal{text: "needs the environment variable " + name + ", which is not set"}
	}
	if value == "" {
		return "", &refusal{text: "needs the environment variable " + name + ", which is empty"}
	}
	return value, nil
}

func (r *references) file(path string) (string, *refusal) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", &refusal{text: "has ${file:} without a path"}
	}
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(r.dir, full)
	}
	raw, err := r.files.read(full, maxSecretFile)
	if err != nil {
		return "", &refusal{text: fmt.Sprintf("needs the file %s: %v", shown(path), err)}
	}
	value := strings.TrimRight(string(raw), "\r\n")
	if value == "" {
		return "", &refusal{text: fmt.Sprintf("needs the file %s, which is empty", shown(path))}
	}
	return value, nil
}

// sources remembers the content of files by digest, to see when it changes.
// Files that could not be read are remembered too: they may appear.
type sources map[string]source

type source struct {
	limit int64
	sum   [sha256.Size]byte
}

func (s sources) read(path string, limit int64) ([]byte, error) {
	raw, err := readBounded(path, limit)
	s[path] = source{limit: limit, sum: fingerprint(raw, err)}
	return raw, err
}

// again is what the files hold now.
func (s sources) again() sources {
	out := make(sources, len(s))
	for path, one := range s {
		_, _ = out.read(path, one.limit) // the fingerprint holds the error
	}
	return out
}

func fingerprint(raw []byte, err error) [sha256.Size]byte {
	if err != nil {
		return sha256.Sum256([]byte("error: " + err.Error()))
	}
	return sha256.Sum256(append([]byte("content: "), raw...))
}

// readBounded reads a regular file of at most limit bytes. Errors do not
// repeat the path.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() { // a pipe would keep us waiting
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return raw, nil
}

// reason is an error of the file system without the path.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// shown bounds what is repeated of a file in an error.
func shown(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
