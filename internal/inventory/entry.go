package inventory

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"durward"
)

// The bounds of one declaration.
const (
	maxItems  = 256
	maxString = 32 << 10
)

// spec is a declaration in the words of any client.
type spec struct {
	Type      string            `json:"type"`
	Transport string            `json:"transport"`
	Command   string            `json:"command"`
	Args      []string          `json:"args"`
	Env       map[string]scalar `json:"env"`
	EnvFile   string            `json:"envFile"`  // Cursor, VS Code
	EnvVars   []string          `json:"env_vars"` // Codex: names to pass on
	Cwd       string            `json:"cwd"`

	URL         string            `json:"url"`
	HTTPURL     string            `json:"httpUrl"`   // Gemini
	ServerURL   string            `json:"serverUrl"` // Windsurf
	Headers     map[string]scalar `json:"headers"`
	HTTPHeaders map[string]scalar `json:"http_headers"`         // Codex
	EnvHeaders  map[string]string `json:"env_http_headers"`     // Codex: header -> variable
	BearerEnv   string            `json:"bearer_token_env_var"` // Codex

	Disabled    bool    `json:"disabled"`
	Enabled     *bool   `json:"enabled"`
	TimeoutMS   float64 `json:"timeout"`          // Gemini, milliseconds
	ToolTimeout float64 `json:"tool_timeout_sec"` // Codex, seconds

	// Choices of tools, which here are rules of a role.
	Include []string `json:"includeTools"`
	Exclude []string `json:"excludeTools"`
	Off     []string `json:"disabledTools"`
	Only    []string `json:"enabled_tools"`
	Without []string `json:"disabled_tools"`
}

// scalar is a string, or a number or a boolean written without quotes.
type scalar string

// UnmarshalJSON accepts what environments and headers hold in practice.
func (s *scalar) UnmarshalJSON(raw []byte) error {
	if raw[0] == '{' || raw[0] == '[' {
		return errors.New("must be a string")
	}
	if raw[0] != '"' {
		*s = scalar(strings.TrimPrefix(string(raw), "null"))
		return nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	*s = scalar(text)
	return err
}

var errSwitchedOff = errors.New("it is disabled there")

// upstream understands the entry. Remarks are worth telling; an error leaves it out.
func (e entry) upstream(o Options) (u durward.Upstream, remarks []string, err error) {
	s, err := e.read()
	if err != nil {
		return u, nil, err
	}
	if s.Disabled || s.Enabled != nil && !*s.Enabled {
		return u, nil, errSwitchedOff
	}
	if err := s.check(); err != nil {
		return u, nil, err
	}
	x := expander{o: o, project: e.project, dollar: e.client == Gemini || s.HTTPURL != ""}
	u.Timeout = s.timeout()
	if s.Command != "" {
		u.URL = s.URL // both is a fault
		err = s.stdio(&u, &x, e.project)
	} else {
		err = s.http(&u, &x, e.client)
	}
	if err := cmp.Or(err, x.err()); err != nil {
		return u, nil, err
	}
	if len(s.Include)+len(s.Exclude)+len(s.Off)+len(s.Only)+len(s.Without) > 0 {
		remarks = append(remarks, "chooses tools there; write that choice as a role's rules here")
	}
	return u, remarks, nil
}

func (e entry) read() (spec, error) {
	var s spec
	err := json.Unmarshal(e.spec, &s)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return s, errors.New("it is not an object")
	case errors.As(err, &kind):
		return s, fmt.Errorf("%s has the wrong type", kind.Field)
	case err != nil:
		return s, errors.New("it holds a value of the wrong type")
	}
	return s, nil
}

func (s *spec) check() error {
	s.URL = cmp.Or(s.HTTPURL, s.ServerURL, s.URL)
	for _, n := range []int{len(s.Args), len(s.Env), len(s.EnvVars), len(s.Headers) + len(s.HTTPHeaders) + len(s.EnvHeaders)} {
		if n > maxItems {
			return fmt.Errorf("it has more than %d arguments, variables or headers", maxItems)
		}
	}
	return nil
}

func (s *spec) timeout() time.Duration {
	seconds := cmp.Or(s.ToolTimeout, s.TimeoutMS/1000)
	if seconds <= 0 || seconds > 24*3600 {
		return 0
	}
	return time.Duration(math.Round(seconds*1000)) * time.Millisecond
}

// stdio fills in a server that is started.
func (s *spec) stdio(u *durward.Upstream, x *expander, project string) error {
	u.Command, u.Transport = x.value(s.Command), s.kind()
	if u.Transport == "stdio" {
		u.Transport = "" // what a command means anyway
	}
	for _, a := range s.Args {
		u.Args = append(u.Args, x.value(a))
	}
	u.Env = map[string]string{}
	for _, name := range s.EnvVars {
		if v, ok := x.o.env(name); ok {
			u.Env[name] = v
		}
	}
	if err := s.envFile(u, x, project); err != nil {
		return err
	}
	maps.Copy(u.Env, x.values(s.Env))
	if len(u.Env) == 0 {
		u.Env = nil
	}
	u.Dir = x.value(s.Cwd)
	if project != "" && u.Dir != "" && !filepath.IsAbs(u.Dir) {
		u.Dir = filepath.Join(project, u.Dir)
	}
	if u.Dir == "" && project != "" && slices.ContainsFunc(append([]string{u.Command}, u.Args...), func(a string) bool { return isRelative(project, a) }) {
		u.Dir = project
	}
	return tooLong(append([]string{u.Command, u.Dir}, u.Args...), u.Env)
}

// http fills in a server that is reached at a URL.
func (s *spec) http(u *durward.Upstream, x *expander, client Client) error {
	u.Transport = s.kind()
	if client == Gemini && u.Transport == "" && s.HTTPURL == "" {
		u.Transport = "sse" // what Gemini makes of a bare "url"
	}
	u.URL = x.value(s.URL)
	u.Headers = x.values(s.Headers)
	maps.Copy(u.Headers, x.values(s.HTTPHeaders))
	for header, name := range s.EnvHeaders {
		u.Headers[header] = x.variable(name)
	}
	if s.BearerEnv != "" {
		u.Headers["Authorization"] = "Bearer " + x.variable(s.BearerEnv)
	}
	if len(u.Headers) == 0 {
		u.Headers = nil
	}
	return tooLong([]string{u.URL}, u.Headers)
}

// kind is the transport in our words, whatever the spelling.
func (s *spec) kind() string {
	kind := strings.ToLower(cmp.Or(s.Type, s.Transport))
	switch strings.NewReplacer("-", "", "_", "").Replace(kind) {
	case "http", "streamablehttp":
		return "http"
	case "local", "command":
		return "stdio"
	case "remote":
		return ""
	}
	return kind
}

// envFile reads the variables of a file beside the declaration.
func (s *spec) envFile(u *durward.Upstream, x *expander, project string) error {
	if s.EnvFile == "" {
		return nil
	}
	path := x.value(s.EnvFile)
	if len(x.missing) > 0 {
		return x.err()
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(project, path)
	}
	raw, err := readFile(path)
	if err != nil {
		return errors.New("its envFile cannot be read")
	}
	lines := strings.Split(string(raw), "\n")
	if len(lines) > 10*maxItems {
		return errors.New("its envFile is too long")
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		u.Env[name] = unquote(strings.TrimSpace(value))
	}
	return nil
}

func unquote(v string) string {
	if len(v) > 1 && v[0] == '\'' && v[len(v)-1] == '\'' {
		return v[1 : len(v)-1]
	}
	if plain, err := strconv.Unquote(v); err == nil && strings.HasPrefix(v, `"`) {
		return plain
	}
	return v
}

// isRelative reports whether an argument means something inside the project folder.
func isRelative(project, arg string) bool {
	if arg == "." || arg == ".." || strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "../") {
		return true
	}
	if arg == "" || strings.HasPrefix(arg, "-") || filepath.IsAbs(arg) || len(arg) > 1024 {
		return false
	}
	_, err := os.Lstat(filepath.Join(project, arg))
	return err == nil
}

func tooLong(list []string, m map[string]string) error {
	for k, v := range m {
		list = append(list, k, v)
	}
	if slices.ContainsFunc(list, func(s string) bool { return len(s) > maxString }) {
		return fmt.Errorf("one of its values is longer than %d KiB", maxString>>10)
	}
	return nil
}
