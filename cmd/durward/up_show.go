package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"durward/internal/boot"
)

// show prints what there is now, and what to do next.
func (s *upState) show() error {
	if s.json() {
		return printJSON(s.out, s.report)
	}
	s.showSetup()
	s.showCalls()
	return s.showLines()
}

func (s *upState) showSetup() {
	o, r := s.out, s.report
	state := "reused"
	switch {
	case s.joined:
		state = "a gateway is running on it already"
	case r.Fresh:
		state = "new"
	}
	o.line("%s %s  %s", o.bold("Durward"), version, o.dim("data in "+shortPath(r.Data)+", "+state))
	if s.moved != "" {
		o.line("%s", o.yellow("Another program has "+s.moved+"; --listen chooses an address for good."))
	}
	o.line("")
	for i, u := range r.Upstreams {
		what := count(u.Tools, "tool")
		if u.own {
			what += ", built in"
		}
		if u.Error != "" {
			what = o.yellow(oneLine(u.Error))
		}
		o.line("  %s %s  %s", label("upstream", i == 0), u.Name, what)
		for _, line := range suspicions(u.Name, u.Findings) {
			o.line("  %s %s", label("", true), o.yellow(line))
		}
		if len(u.Withheld) > 0 {
			o.line("  %s %s", label("", true), o.yellow(withheldLine(u.Name, u.Withheld)))
		}
	}
	kept := "its key as before"
	if r.Minted {
		kept = "new key"
	}
	if s.mayNothing && len(r.Upstreams) > 0 {
		o.line("  %s %s", label("", true), o.yellow("None of these tools is allowed yet: durward role set "+firstRole+" --allow '"+r.Upstreams[0].Name+"__*'"))
	}
	o.line("  %s %s  %s in %s", label("agent", true), r.Agent, kept, shortPath(r.KeyFile))
	o.line("  %s %s  key in %s", label("admin", true), r.Admin, shortPath(r.AdminKey))
	o.line("")
}

func label(word string, show bool) string {
	if !show {
		word = ""
	}
	return fmt.Sprintf("%-10s", word)
}

func (s *upState) showCalls() {
	o, r := s.out, s.report
	call := r.Allowed.Tool
	if call == "" {
		call = "tools/list"
	}
	for _, k := range slices.Sorted(maps.Keys(r.Allowed.Args)) {
		call += fmt.Sprintf(" %s=%v", k, r.Allowed.Args[k])
	}
	o.line("  %s  %s  %s", o.green("✓ allowed"), call, o.dim(fmt.Sprintf("%.1f ms", r.Allowed.MS)))
	o.line("             the agent hears   %s", r.Allowed.Heard)
	o.line("  %s   %s  %s", o.red("✗ denied"), r.Denied.Tool, o.dim(fmt.Sprintf("%.1f ms", r.Denied.MS)))
	o.line("             the agent hears   %s", oneLine(r.Denied.Heard))
	if r.Denied.Reason != "" {
		o.line("             the record says   %s", oneLine(r.Denied.Reason))
	}
	o.line("")
	o.line("  %s %s  %s", label("record", true), shortPath(r.Record), o.dim("durward audit tail"))
	o.line("")
}

// showLines prints how to connect the usual clients.
func (s *upState) showLines() error {
	o := s.out
	stdio, err := s.stdioCommand(s.report.Agent)
	if err != nil {
		return err
	}
	with := boot.Connection{URL: s.report.URL, Key: s.report.key, Stdio: stdio}
	o.line("%s  %s", o.bold("Connect a client"), o.dim(s.report.URL))
	o.line("")
	for _, client := range []string{"claude-code", "claude-desktop", "cursor", "vscode", "curl"} {
		r, err := boot.ConnectClient(client, with)
		if err != nil {
			return err
		}
		text := r.Text
		if r.Line != "" {
			text = r.Line
		}
		o.line("  %s  %s", o.bold(r.Title), o.dim(r.Do+":"))
		o.line("    %s", strings.ReplaceAll(text, "\n", "\n    "))
	}
	o.line("")
	if text := installHint(); text != "" {
		o.line("%s", o.yellow(text))
	}
	o.line("%s", o.dim("More clients: durward connect. Try it: durward tools, durward call TOOL."))
	if s.f.once || s.joined {
		o.line("%s", o.dim(fmt.Sprintf("Done in %.1f s.", time.Since(s.began).Seconds())))
	} else {
		o.line("%s  %s", o.green("Serving."), o.dim("Ctrl-C stops it; `durward up` starts it again with the same keys."))
	}
	return nil
}

// shortPath is a path as a person here would write it.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, full); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return full
}
