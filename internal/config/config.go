// Package config is the operator's face: durward.yaml becomes typed values.
//
// It promises that a file is understood completely or refused with all its
// problems at once, each with line, column, path and what to do; that the
// schema for editors comes from the same description as the reader; and that
// no error or print shows a secret. It holds no state of a running gateway:
// boot asks it for values, and for being told when they change ([Watcher]).
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"durward"
)

// DefaultFile is the file that is used when none is named.
const DefaultFile = "durward.yaml"

// maxFile bounds a configuration file.
const maxFile = 4 << 20

// Config is a file that was understood, with defaults in place. Paths are
// absolute or relative to the working directory of the process.
type Config struct {
	Path        string // of the file; "" for the defaults alone
	Listen      string // data listener
	AdminListen string
	Data        string
	Upstreams   []durward.Upstream
	Agents      []durward.Agent
	Roles       []durward.Role
	Keys        []Key
	Arguments   string // default of Upstream.Arguments: enforce, report, off
	Record      string // default of Upstream.Record: off, digest, redacted, full
	Reads       string // batched, durable
	RecordMode  string // must, durable, batched
	Results     string // off, digest, redacted, full
	Evidence    string // off, shape, text
	RecordRules []durward.RecordRule
	Audit       Audit
	SealKey     durward.Credential // of the store; zero for the one in the data folder
	Approvals   durward.ApprovalRules
	Once        durward.Once
	Policy      []durward.PolicyRule
	Guard       durward.Guard
	Guarding    durward.Guarding
	Lock        string        // path of the lock file; "" for none
	Pins        []durward.Pin // what it approves
	Limits      Limits
	Usage       durward.Limits // what may be used
	Runaway     durward.Runaways
	// AllowedOrigins and AllowedHosts are in lower case.
	AllowedOrigins []string
	AllowedHosts   []string
	Log            Log
	// Warnings are what an operator should know and need not change.
	Warnings Problems

	empty bool    // the file holds nothing at all, or comments only
	read  file    // for Print
	files sources // that the values came from
}

// Key is a key that the file declares.
type Key struct {
	Agent  string // "" for an operator's key
	Admin  bool
	Name   string // of the operator; may be ""
	Secret durward.Credential
}

// Limits bound requests and sessions.
type Limits struct {
	Body          int64
	Headers       int64
	HeaderTimeout time.Duration
	BodyTimeout   time.Duration
	IdleTimeout   time.Duration
	DrainTimeout  time.Duration
	Sessions      int
	SessionIdle   time.Duration
	Memory        int64 // 0: as the environment or the container says
}

// Log is how the log is written.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// Options change how a file is loaded; the zero value is good.
type Options struct {
	// Env looks up environment variables; os.LookupEnv when nil.
	Env func(string) (string, bool)
	// Listen, AdminListen and Data replace what the file says, when set: flags
	// of the command line.
	Listen, AdminListen, Data string
	// ReadLock understands a lock file; with nil it is left unread.
	ReadLock func(raw []byte) ([]durward.Pin, error)
	// CheckKey refuses keys by more than their length, such as a wrong checksum.
	CheckKey func(secret string) error
	// CheckWitness refuses what is no public key of a witness.
	CheckWitness func(key string) error
	// Rules and Vectors are what the guard knows; names are not checked when nil.
	Rules, Vectors []string
}

// Load reads the file at path. What is wrong with it comes back as [Problems].
func Load(path string, o Options) (*Config, error) {
	c, _, err := load(path, o)
	return c, err
}

// load also tells which files were read, whether they were understood or not.
func load(path string, o Options) (*Config, sources, error) {
	files := sources{}
	raw, err := files.read(path, maxFile)
	if err != nil {
		return nil, files, Problems{{File: path, Text: "cannot be read: " + err.Error()}}
	}
	c, err := understand(path, raw, o, files)
	return c, files, err
}

// Parse reads the content of a file; path tells its name and where relative
// paths start.
func Parse(path string, raw []byte, o Options) (*Config, error) {
	return understand(path, raw, o, sources{})
}

// Default is the configuration of an empty file in the working directory.
func Default(o Options) (*Config, error) { return Parse("", nil, o) }

// ErrNone says that no configuration was named and none is where it is looked for.
var ErrNone = fmt.Errorf("there is no %s in this folder; -c names a configuration file", DefaultFile)

// Find returns the path of the file to load when none was named, or [ErrNone].
func Find() (string, error) {
	switch _, err := os.Stat(DefaultFile); {
	case err == nil:
		return DefaultFile, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrNone
	default:
		return "", fmt.Errorf("look for %s: %w", DefaultFile, err)
	}
}

func understand(path string, raw []byte, o Options, files sources) (*Config, error) {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	root, problem := parse(path, raw)
	if problem != nil {
		return nil, Problems{*problem}
	}
	dir := filepath.Dir(path)
	r := &reader{file: path, refs: references{dir: dir, env: o.Env, files: files}, places: map[string]place{}}
	b := &builder{reader: r, dir: dir, o: o, in: defaults()}
	b.readFile(root)
	c := b.build()
	c.empty = isEmpty(root)
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	r.warnings.sort()
	c.Path, c.Warnings, c.files = path, r.warnings, files
	return c, nil
}

// Declared is what the file declares for the data plane, keys hashed.
func (c *Config) Declared(hash func(secret string) [32]byte) *durward.Snapshot {
	s := &durward.Snapshot{
		Agents:    c.Agents,
		Roles:     c.Roles,
		Upstreams: c.Upstreams,
		Arguments: c.Arguments,
		Record:    c.Record,
		Reads:     c.Reads,
		Guard:     c.Guard,
		Limits:    c.Usage,
		Runaway:   c.Runaway,
		Guarding:  c.Guarding,
		Approvals: c.Approvals,
		Pins:      c.Pins,

		RecordMode:  c.RecordMode,
		Results:     c.Results,
		Evidence:    c.Evidence,
		RecordRules: c.RecordRules,
		Once:        c.Once,
		Policy:      c.Policy,
	}
	for _, k := range c.Keys {
		secret := k.Secret.Reveal()
		sum := hash(secret)
		s.Keys = append(s.Keys, durward.Key{
			ID:     fmt.Sprintf("f_%x", sum[:6]),
			Agent:  k.Agent,
			Admin:  k.Admin,
			Name:   k.Name,
			Hash:   sum,
			Hint:   secret[len(secret)-4:],
			Origin: durward.FromFile,
		})
	}
	return s
}

// NeedsRestart lists the keys whose new value a running gateway cannot take.
func NeedsRestart(running, next *Config) (keys []string) {
	add := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	add("listen", running.Listen == next.Listen)
	add("admin.listen", running.AdminListen == next.AdminListen)
	add("data", running.Data == next.Data)
	add("seal_key", running.SealKey.Reveal() == next.SealKey.Reveal())
	add("audit.origin", running.Audit.Origin == next.Audit.Origin)
	add("audit.checkpoint", running.Audit.Every == next.Audit.Every && running.Audit.Records == next.Audit.Records)
	add("limits", running.Limits == next.Limits)
	add("allowed_origins", slices.Equal(running.AllowedOrigins, next.AllowedOrigins))
	add("allowed_hosts", slices.Equal(running.AllowedHosts, next.AllowedHosts))
	add("log.format", running.Log.Format == next.Log.Format)
	return keys
}

// relative makes a path of the file usable from the working directory.
func relative(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Loopback reports whether only this machine can reach the address host:port.
func Loopback(address string) bool {
	host, _, ok := cutPort(address)
	return ok && isLoopback(host)
}

func cutPort(address string) (host, port string, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", "", false
	}
	return strings.Trim(address[:i], "[]"), address[i+1:], true
}
