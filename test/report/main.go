// Command report reads `go test -json` from its input and prints what a person
// wants to know: a line for each package, the output of each test that failed,
// and each skipped test with its reason.
//
// With an argument it leaves there, for each package with failed tests, a line
// with the package and a pattern of those tests, so that they can be run again;
// nothing when a second run would prove nothing: after a data race, a panic, a
// leak, a skip where nothing may be skipped, or a failure that is no test's.
//
// It fails when a test failed, when a package did not build, when nothing ran
// at all, and, with CI=true, when anything was skipped. It runs nothing itself.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action     string
	Package    string
	Test       string
	Elapsed    float64
	Output     string
	ImportPath string // of build output
}

func main() {
	strict := os.Getenv("CI") == "true"
	r := report{out: os.Stdout, output: map[string][]string{}, broken: map[string][]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	ok := r.verdict(strict)
	if len(os.Args) > 1 {
		if err := os.WriteFile(os.Args[1], []byte(r.again(strict)), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			os.Exit(1)
		}
	}
	if !ok {
		os.Exit(1)
	}
}

// again is what may run once more.
func (r *report) again(strict bool) string {
	if r.final || strict && len(r.skipped) > 0 {
		return ""
	}
	var out strings.Builder
	for _, pkg := range slices.Sorted(maps.Keys(r.broken)) {
		tests := r.broken[pkg]
		if len(tests) == 0 {
			return ""
		}
		fmt.Fprintf(&out, "%s ^(%s)$\n", pkg, strings.Join(tests, "|"))
	}
	return out.String()
}

// report gathers what happened.
type report struct {
	out                     io.Writer
	output                  map[string][]string // of tests that still run, and of builds
	broken                  map[string][]string // packages that failed, and their failed tests at the top
	final                   bool                // what failed is no matter of luck
	tests, failed, packages int
	skipped                 []string
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events of go test: %w", err)
		}
	}
}

func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(r.out, line) // not an event: what go itself says
		return
	}
	r.event(e)
}

func (r *report) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.final = r.final || isFinal(e.Output)
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.test(e, r.output[key])
		} else {
			r.pkg(e, r.output[key])
		}
		delete(r.output, key)
	}
}

func (r *report) test(e event, output []string) {
	r.tests++
	switch e.Action {
	case "skip":
		why := ""
		for _, line := range output {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
				why = line
			}
		}
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, why))
	case "fail":
		r.failed++
		if !strings.Contains(e.Test, "/") {
			r.broken[e.Package] = append(r.broken[e.Package], e.Test)
		}
		fmt.Fprint(r.out, strings.Join(output, ""))
	}
}

func (r *report) pkg(e event, output []string) {
	took := time.Duration(e.Elapsed * float64(time.Second)).Round(10 * time.Millisecond)
	switch e.Action {
	case "pass":
		r.packages++
		fmt.Fprintf(r.out, "ok    %-40s %v\n", e.Package, took)
	case "fail":
		r.failed++
		if _, known := r.broken[e.Package]; !known {
			r.broken[e.Package] = nil // it failed, and none of its tests
		}
		for _, key := range slices.Sorted(maps.Keys(r.output)) { // of tests that did not end: a panic stands there
			if strings.HasPrefix(key, e.Package+" ") && key != e.Package+" " {
				fmt.Fprint(r.out, strings.Join(r.output[key], ""))
				delete(r.output, key)
			}
		}
		fmt.Fprint(r.out, strings.Join(output, ""))
		fmt.Fprintf(r.out, "FAIL  %-40s %v\n", e.Package, took)
	} // skip: the package has no tests
}

// verdict prints the summary and says whether all is well.
func (r *report) verdict(strict bool) bool {
	for _, s := range r.skipped {
		fmt.Fprintln(r.out, "skip ", s)
	}
	fmt.Fprintf(r.out, "%d tests in %d packages, %d failed, %d skipped\n", r.tests, r.packages, r.failed, len(r.skipped))
	if r.tests == 0 {
		fmt.Fprintln(r.out, "no test ran: that is not a pass")
		return false
	}
	if strict && len(r.skipped) > 0 {
		fmt.Fprintln(r.out, "CI=true: nothing may be skipped")
		return false
	}
	return r.failed == 0
}

// isFinal reports whether a line of output tells of a mistake that a second
// run may hide and cannot clear.
func isFinal(line string) bool {
	for _, mark := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: ", "deadlock: "} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	return strings.Contains(line, "found unexpected goroutines")
}
