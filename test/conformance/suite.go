// Package conformance runs the official MCP conformance suite, directly against
// reference servers and with the gateway in front of them.
//
// A scenario passes when the suite wrote down at least one check of it that
// succeeded and none that failed; a required one must also have none skipped.
// What is known to fail stands in baseline/, with its reason, and must fail.
package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"durward/internal/durwardtest"
)

// suite is one frozen set of scenarios for one side of the protocol.
type suite struct {
	revision string
	by       string // the flag that asks for its scenarios
	required []string
	single   bool     // they are asked for one by one
	skips    []string // of them those in which the suite skips what the revision does not have
}

// subject is what a suite tries: a server by its URL, or a client by its
// command line, to which the suite adds the URL of a server of its own.
type subject struct{ side, flag, at string }

func server(url string) subject     { return subject{"server", "--url", url} }
func client(command string) subject { return subject{"client", "--command", command} }

// patience is how long the suite waits for a client, in milliseconds: scenarios
// take turns, see test/fixtures/through.
const patience = "180000"

// outcome is what became of one scenario.
type outcome struct {
	succeeded, failed, skipped int
	faults                     []string // the failed checks, with what the suite says of them
}

func (o outcome) passed() bool { return o.succeeded > 0 && o.failed == 0 }

// check is one entry of a checks.json.
type check struct {
	ID, Status, ErrorMessage string
}

// run runs the suite against its subject and reads what it wrote down.
func (s suite) run(p durwardtest.Peers, of subject, dir string) (map[string]outcome, error) {
	if !s.single {
		return s.runOnce(p, of, dir)
	}
	found := map[string]outcome{}
	for _, name := range s.required {
		one := s
		one.required = []string{name}
		part, err := one.runOnce(p, of, filepath.Join(dir, name), "--scenario", name, "--force")
		if err != nil {
			return nil, err
		}
		maps.Copy(found, part)
	}
	return found, nil
}

func (s suite) runOnce(p durwardtest.Peers, of subject, dir string, more ...string) (map[string]outcome, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if of.side == "client" {
		more = append(more, "--timeout", patience)
	}
	c := exec.Command(p.Node, append([]string{p.Package(".bin", "conformance"), of.side,
		of.flag, of.at, s.by, s.revision, "--output-dir", dir}, more...)...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("run the suite: %w", err)
	}
	found, rerr := read(dir)
	if rerr != nil {
		return nil, rerr
	}
	if err := s.agrees(found, c.ProcessState.ExitCode()); err != nil {
		return found, fmt.Errorf("%w; the suite wrote:\n%s", err, out)
	}
	return found, nil
}

// agrees holds our reading of the checks against the suite's own exit code.
func (s suite) agrees(found map[string]outcome, code int) error {
	ok := true
	for _, name := range s.required {
		o, ran := found[name]
		if !ran {
			return fmt.Errorf("the required scenario %s did not run", name)
		}
		ok = ok && o.passed()
	}
	if ok != (code == 0) {
		return fmt.Errorf("the suite ended with exit code %d although its checks say otherwise", code)
	}
	return nil
}

// folder is the name of a scenario's folder: NAME-TIMESTAMP, server-NAME-TIMESTAMP
// for a server's. A NAME may have a slash in it.
var folder = regexp.MustCompile(`^(?:server-)?(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$`)

func read(dir string) (map[string]outcome, error) {
	found := map[string]outcome{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		m := folder.FindStringSubmatch(filepath.ToSlash(name))
		if m == nil {
			return nil
		}
		o, err := readScenario(filepath.Join(path, "checks.json"))
		if err != nil {
			return fmt.Errorf("%s: %w", m[1], err)
		}
		found[m[1]] = o
		return filepath.SkipDir
	})
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	return found, nil
}

func readScenario(file string) (outcome, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) { // the scenario broke off
		return outcome{faults: []string{"the suite wrote down no checks"}}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	var checks []check
	if err := json.Unmarshal(raw, &checks); err != nil {
		return outcome{}, err
	}
	var o outcome
	for _, c := range checks {
		switch c.Status {
		case "SUCCESS":
			o.succeeded++
		case "FAILURE":
			o.failed++
			o.faults = append(o.faults, c.ID+": "+c.ErrorMessage)
		case "SKIPPED":
			o.skipped++
		case "INFO", "WARNING":
		default:
			return o, fmt.Errorf("the check %s has the unknown status %q", c.ID, c.Status)
		}
	}
	return o, nil
}

// baseline reads files of lines "scenario: reason".
func baseline(files ...string) (map[string]string, error) {
	known := map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join("baseline", f))
		if err != nil {
			return nil, fmt.Errorf("read the baseline: %w", err)
		}
		for line := range strings.Lines(string(raw)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			name, reason, _ := strings.Cut(line, ":")
			if strings.TrimSpace(reason) == "" {
				return nil, fmt.Errorf("baseline/%s: %s has no reason", f, name)
			}
			known[name] = strings.TrimSpace(reason)
		}
	}
	return known, nil
}

// judge compares what happened with what must happen.
func (s suite) judge(found map[string]outcome, known map[string]string) (complaints []string) {
	for name, o := range found {
		reason, expected := known[name]
		required := slices.Contains(s.required, name)
		switch {
		case expected && o.passed():
			complaints = append(complaints, fmt.Sprintf("%s passes, although the baseline says: %s", name, reason))
		case expected:
		case !o.passed():
			complaints = append(complaints, fmt.Sprintf("%s: %d succeeded, %d failed\n\t\t%s", name, o.succeeded, o.failed, strings.Join(o.faults, "\n\t\t")))
		case required && o.skipped > 0 && !slices.Contains(s.skips, name):
			complaints = append(complaints, fmt.Sprintf("%s: %d checks were skipped", name, o.skipped))
		}
	}
	for name := range known {
		if _, ran := found[name]; !ran {
			complaints = append(complaints, fmt.Sprintf("the baseline knows %s, which did not run", name))
		}
	}
	slices.Sort(complaints)
	return complaints
}
