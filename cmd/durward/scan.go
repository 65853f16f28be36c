package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/boot"
)

// scanFlags say what to scan beside files, and how to report it.
type scanFlags struct {
	format    string
	upstreams []string
	command   string
	u         durward.Upstream // a server that is not behind the gateway
	headers   []string
	env       []string
	start     bool
	timeout   time.Duration
	failOn    string
}

func scanCommand(a *app) *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "scan [FILE ...]",
		Short: "Look for attacks in tool definitions, results and arguments, offline",
		Long: "Runs the detectors over files, standard input or the tools that a server lists, and sends nothing anywhere.\n" +
			"Files may be tools/list results, single definitions, client configurations (looked through for credentials in\n" +
			"the clear; --start scans their servers too), JSON lines in the format of --format jsonl, or any text, which is\n" +
			"judged as a tool's result.\n\n" +
			"--format jsonl takes one object a line, with id and kind: tool_definition (tool; or before and after; or tool,\n" +
			"server and registry), tool_response (text), tool_args (tool, args), session (steps), tool_list (tools); and\n" +
			"answers each with a line, in order. Lines are at most 4 MiB long.\n\n" +
			"Exit code: 3 when something gets the verdict of --fail-on or a stricter one (flag, redact, hold, block), 0 when\n" +
			"nothing does, 1 when something could not be read, or has a key twice (the rest is scanned).\n" +
			"The detectors miss attacks and raise false alarms: docs/guard-report.md has the figures.",
		Example: "  durward scan --upstream files\n  durward scan --command 'npx -y @modelcontextprotocol/server-everything'\n" +
			"  durward scan --format sarif --fail-on flag tools.json > durward.sarif\n  durward scan --format jsonl < lines.jsonl",
		GroupID: groupGovern,
		Args:    args(0, -1),
		RunE:    func(c *cobra.Command, files []string) error { return a.scan(c.Context(), f, files) },
	}
	fl := c.Flags()
	fl.StringVar(&f.format, "format", boot.ScanHuman, "form of the report: "+strings.Join(boot.ScanFormats(), ", "))
	fl.StringArrayVar(&f.upstreams, "upstream", nil, "scan the tools of this upstream of the running gateway; may be given more than once")
	fl.StringVar(&f.command, "command", "", "start this server and scan what it lists")
	fl.StringVar(&f.u.URL, "url", "", "reach the server at this address and scan what it lists")
	fl.StringArrayVar(&f.headers, "header", nil, "header for --url, 'Name: value'; may be given more than once")
	fl.StringArrayVar(&f.env, "env", nil, "variable for --command, NAME=value; may be given more than once")
	fl.StringVar(&f.u.Dir, "dir", "", "working directory for --command")
	fl.BoolVar(&f.start, "start", false, "start or reach every server that a client configuration declares, and scan what it lists")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "longest time for servers to start and answer")
	fl.StringVar(&f.failOn, "fail-on", "", "mildest verdict that makes the exit code 3 (default redact; hold with --format jsonl)")
	_ = c.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(boot.ScanLevels(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("upstream", a.completeUpstreams) // the flags are there, some lines up
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(boot.ScanFormats(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// check completes the flags and says what is wrong with them.
func (f *scanFlags) check(a *app) error {
	if a.json() && f.format == boot.ScanHuman {
		f.format = boot.ScanJSON
	}
	if !slices.Contains(boot.ScanFormats(), f.format) {
		return usagef("--format %s: use %s", f.format, strings.Join(boot.ScanFormats(), ", "))
	}
	if err := oneOf("fail-on", f.failOn, boot.ScanLevels()); err != nil {
		return err
	}
	if f.failOn == "" {
		f.failOn = "redact"
		if f.format == boot.ScanJSONL {
			f.failOn = "hold"
		}
	}
	if f.timeout <= 0 {
		return usagef("--timeout %s: servers need some time", f.timeout)
	}
	if !f.aside() {
		if len(f.headers)+len(f.env) > 0 || f.u.Dir != "" {
			return usagef("--header, --env and --dir go with --url or --command")
		}
		return nil
	}
	words, err := commandWords(f.command)
	if err != nil {
		return usagef("--command: %v", err)
	}
	return readUpstream(&f.u, append([]string{"scanned"}, words...), f.headers, f.env)
}

// aside reports whether a server that is not behind the gateway is named.
func (f *scanFlags) aside() bool { return f.command != "" || f.u.URL != "" }

func (a *app) scan(ctx context.Context, f scanFlags, files []string) error {
	if err := f.check(a); err != nil {
		return err
	}
	s, err := boot.NewScan(boot.ScanOptions{Format: f.format, Out: a.out, Version: version, Paint: a.paintVerdict})
	if err != nil {
		return err
	}
	if len(files) == 0 && len(f.upstreams) == 0 && !f.aside() {
		files = []string{"-"}
	}
	run := &scanRun{app: a, f: f, s: s}
	if err := run.all(ctx, files); err != nil {
		return err
	}
	totals, err := s.Close()
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return run.outcome(totals)
}

// scanRun is one run of `durward scan`.
type scanRun struct {
	*app
	f      scanFlags
	s      *boot.Scan
	missed int // sources that the report has no line for
}

func (r *scanRun) all(ctx context.Context, files []string) error {
	for _, name := range files {
		if err := r.file(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range r.f.upstreams {
		if err := r.upstream(ctx, name); err != nil {
			return err
		}
	}
	if !r.f.aside() {
		return nil
	}
	u := r.f.u
	u.Name = boot.DescribeUpstream(u) // what the report calls it
	return r.servers(ctx, u.Name, []durward.Upstream{u})
}

func (r *scanRun) file(ctx context.Context, name string) error {
	if name == "-" {
		if r.inTTY {
			r.err.line("%s", r.err.dim("Reading what you type; Ctrl-D ends it."))
		}
		_, err := r.s.Read("stdin", r.in)
		return err
	}
	in, err := openFile(name)
	if err != nil {
		return r.miss(name, err)
	}
	defer in.Close()
	found, err := r.s.Read(name, in)
	if err != nil || len(found.Proposals)+len(found.Notes) == 0 {
		return err
	}
	return r.declared(ctx, name, found)
}

func openFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, errors.Unwrap(err) // the report names the file
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(errors.New("is a folder; name the files in it"), f.Close())
	}
	return f, nil
}

// miss reports a source that could not be read; the rest is scanned.
func (r *scanRun) miss(source string, err error) error {
	if r.f.format != boot.ScanJSONL {
		return r.s.Fail(source, err)
	}
	r.missed++ // there is a line of the report for each line of input, and for nothing else
	r.err.line("%s %s: %s", r.err.red("durward:"), clean(source), clean(err.Error()))
	return nil
}

// declared tells of the servers in a client configuration, and scans them when
// that is wanted.
func (r *scanRun) declared(ctx context.Context, file string, found boot.Found) error {
	r.notes(found)
	var ups []durward.Upstream
	for _, p := range found.Proposals {
		ups = append(ups, p.Upstream)
	}
	if len(ups) == 0 {
		return nil
	}
	if !r.f.start {
		r.err.line("%s declares %s; --start starts or reaches them and scans what they list.", clean(file), count(len(ups), "server"))
		return nil
	}
	return r.servers(ctx, count(len(ups), "server")+" of "+file, ups)
}

func (r *scanRun) servers(ctx context.Context, what string, ups []durward.Upstream) error {
	ctx, cancel := context.WithTimeout(ctx, r.f.timeout)
	defer cancel()
	p := r.progress("asking " + what)
	defer p.stop()
	return r.s.Servers(ctx, ups)
}

// upstream scans the tools that the running gateway knows of one of its upstreams.
func (r *scanRun) upstream(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, r.f.timeout)
	defer cancel()
	return r.operate(ctx, func(op operator) error {
		p := r.progress("asking " + name)
		t, err := op.TestUpstream(ctx, name)
		p.stop()
		if err != nil {
			return err
		}
		if t.Status.Error != "" {
			return r.miss(name, errors.New(t.Status.Error))
		}
		if err := r.s.LeftOut(name, t.Status.LeftOut); err != nil {
			return err
		}
		return r.s.Listed(name, t.Tools)
	})
}

// outcome is the exit code. What could not be read outweighs what was found:
// the scan is not complete.
func (r *scanRun) outcome(t boot.ScanTotals) error {
	switch {
	case t.Failed+r.missed > 0:
		if r.f.format == boot.ScanJSONL && t.Failed > 0 {
			r.err.line("%d of %s could not be read.", t.Failed, count(t.Failed+t.Inspected, "line"))
		}
		if r.f.format == boot.ScanJSONL && t.Inspected == 0 && t.Failed > 0 {
			r.err.line("--format jsonl takes one object a line; without it, files of other kinds are recognised.")
		}
		return said{exitFailed}
	case t.From(r.f.failOn) > 0:
		return said{exitRefused}
	}
	return nil
}

func (a *app) paintVerdict(verdict, text string) string {
	switch verdict {
	case "block", "error":
		return a.out.red(text)
	case "hold":
		return a.out.yellow(text)
	}
	return a.out.cyan(text)
}

// scanned names the tools of a server that a scan would hold or block, and why.
func scanned(server string, tools []json.RawMessage) []string {
	found, err := boot.ScanBriefly(server, tools)
	if err != nil {
		return []string{"the tools could not be scanned: " + err.Error()}
	}
	return found
}

// suspicions are the first of these as lines, with where to read more.
func suspicions(server string, found []string) []string {
	const most = 3
	more := len(found) - most
	if more > 0 {
		found = append(slices.Clone(found[:most]), fmt.Sprintf("and %d more tools", more))
	}
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = "! " + f
	}
	if n := len(lines); n > 0 {
		lines[n-1] += "; see durward scan --upstream " + server
	}
	return lines
}
