package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"durward"
)

// RunFile is the file of the data directory that tells how to reach the
// gateway that uses it.
const RunFile = "run.json"

// ErrNotRunning says that no gateway uses a data directory.
var ErrNotRunning = errors.New("no gateway is running on this data folder; durward up or durward serve starts one")

// Run is how to reach a running gateway.
type Run struct {
	URL    string `json:"url"`    // of the admin listener
	Token  string `json:"token"`  // stands for a local operator; as good as an operator's key
	Agents string `json:"agents"` // URL of the data listener
	PID    int    `json:"pid"`
	// Instance is the id of the process in Durward-Via.
	Instance string    `json:"instance,omitempty"`
	Data     string    `json:"data"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	// Passing says that it serves a `durward stdio` and ends with it.
	Passing bool `json:"passing,omitempty"`
}

// String hides the token from logs and errors.
func (r Run) String() string { return fmt.Sprintf("gateway %d at %s", r.PID, r.URL) }

// GoString hides the token from %#v.
func (r Run) GoString() string { return r.String() }

// NewToken makes the token of a run.
func NewToken() string { return "dwr_" + rand.Text() + rand.Text() }

// WriteRun leaves run.json in the data directory, for its owner only.
func WriteRun(dir string, r Run) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", RunFile, err)
	}
	tmp, err := os.CreateTemp(dir, "."+RunFile+"-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", RunFile, err)
	}
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, RunFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", RunFile, err), os.Remove(tmp.Name()))
	}
	return nil
}

// ReadRun reads run.json. A gateway that ended without removing it is
// [ErrNotRunning].
func ReadRun(dir string) (Run, error) {
	f, err := os.Open(filepath.Join(dir, RunFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Run{}, ErrNotRunning
	}
	if err != nil {
		return Run{}, fmt.Errorf("read %s: %w", RunFile, err)
	}
	defer f.Close()
	var r Run
	if err := json.NewDecoder(io.LimitReader(f, 64<<10)).Decode(&r); err != nil {
		return Run{}, fmt.Errorf("read %s: %w", RunFile, err)
	}
	if !alive(r.PID) {
		return Run{}, ErrNotRunning
	}
	return r, nil
}

// RemoveRun removes the run.json of this run, and no other's.
func RemoveRun(dir, token string) error {
	path := filepath.Join(dir, RunFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", RunFile, err)
	}
	var r Run
	if json.Unmarshal(text, &r) == nil && r.Token != token {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", RunFile, err)
	}
	return nil
}

// claimFile is left by a gateway that waits for the data directory.
const claimFile = "run.claim"

// claimTime is how long a claim holds at most.
const claimTime = 2 * time.Minute

// Claim announces that this process waits for a data directory, so that none
// that is about to start a passing gateway there takes it first.
func Claim(dir string) (release func(), err error) {
	path := filepath.Join(dir, claimFile)
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		return nil, fmt.Errorf("claim the data folder: %w", err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// Claimed tells whether somebody waits for a data directory.
func Claimed(dir string) bool {
	path := filepath.Join(dir, claimFile)
	info, err := os.Stat(path)
	if err != nil || time.Since(info.ModTime()) > claimTime {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && pid != os.Getpid() && alive(pid)
}

// Connect finds the gateway that uses a data directory and makes sure that it
// answers. A file that was left behind, also when another process got the id
// or the port since, is [ErrNotRunning].
func Connect(ctx context.Context, dir string) (*Client, Run, error) {
	r, err := ReadRun(dir)
	if err != nil {
		return nil, Run{}, err
	}
	c := NewClient(r.URL, durward.NewCredential(r.Token))
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := c.Status(ctx)
	var refused *durward.Error
	switch {
	case err == nil && s.PID == r.PID:
		return c, r, nil
	case err == nil, errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &refused) && refused.Code != durward.Unavailable:
		return nil, Run{}, ErrNotRunning
	}
	return nil, Run{}, fmt.Errorf("%s does not answer: %w", r, err)
}

// alive tells whether a process has the id.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, syscall.EPERM)
}
