package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/boot"
)

func auditCommand(a *app) *cobra.Command {
	return parent("audit", "Read, search, export, verify and prove the record of calls", groupGovern,
		auditTailCommand(a), auditSearchCommand(a), auditIndexCommand(a), auditExportCommand(a), auditVerifyCommand(a),
		auditProveCommand(a), auditCheckpointsCommand(a), auditKeyCommand(a), auditEraseCommand(a), auditHoldCommand(a), auditAgeCommand(a))
}

// recordFlags choose records.
type recordFlags struct {
	since, until string
	f            boot.RecordFilter
}

func (r *recordFlags) add(c *cobra.Command, a *app) {
	f := c.Flags()
	f.StringVar(&r.since, "since", "", "only from then on: 2026-11-22, 2026-11-22T10:00:00Z, or 90m ago")
	f.StringVar(&r.until, "until", "", "only before then")
	f.StringVar(&r.f.Agent, "agent", "", "only calls of this agent")
	f.StringVar(&r.f.Upstream, "upstream", "", "only calls to this upstream")
	f.StringVar(&r.f.Tool, "tool", "", "only calls of this tool (the upstream's own name)")
	f.StringVar(&r.f.Verdict, "verdict", "", "only calls with this verdict: "+wordList(durward.Verdicts()))
	f.StringVar(&r.f.Outcome, "outcome", "", "only calls with this outcome: "+wordList(durward.Outcomes()))
	f.StringVar(&r.f.Reason, "reason", "", "only calls with this reason, such as rule_denies")
	f.StringVar(&r.f.Rule, "rule", "", "only calls that this rule decided")
	f.StringVar(&r.f.User, "user", "", "only calls for this user")
	f.StringVar(&r.f.Session, "session", "", "only calls of this session")
	f.StringVar(&r.f.Text, "text", "", "only calls with this text anywhere in their record, in either case")
	_ = c.RegisterFlagCompletionFunc("agent", a.completeAgents)       // the flags are there,
	_ = c.RegisterFlagCompletionFunc("upstream", a.completeUpstreams) // some lines up
	_ = c.RegisterFlagCompletionFunc("verdict", cobra.FixedCompletions(durward.Verdicts(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions(durward.Outcomes(), cobra.ShellCompDirectiveNoFileComp))
}

// filter reads the times, and refuses words that no record has.
func (r *recordFlags) filter(now time.Time) (boot.RecordFilter, error) {
	if err := oneOf("verdict", r.f.Verdict, durward.Verdicts()); err != nil {
		return r.f, err
	}
	if err := oneOf("outcome", r.f.Outcome, durward.Outcomes()); err != nil {
		return r.f, err
	}
	var err error
	if r.f.Since, err = moment(r.since, now); err != nil {
		return r.f, usagef("--since %v", err)
	}
	if r.f.Until, err = moment(r.until, now); err != nil {
		return r.f, usagef("--until %v", err)
	}
	return r.f, nil
}

// oneOf refuses the value of a flag that is none of the words that it takes.
func oneOf(flag, value string, words []string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return usagef("--%s %s: it is one of %s", flag, value, wordList(words))
}

// wordList is words for a sentence.
func wordList(words []string) string { return strings.Join(words, ", ") }

// moment reads a date, a time, or how long ago.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	ago := strings.TrimSuffix(strings.TrimSuffix(text, "ago"), " ")
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-11-22, 2026-11-22T10:00:00Z or 90m", text)
}

// recordDir is the folder of the record, which must exist.
func (a *app) recordDir() (string, error) {
	data, err := a.dataDir()
	if err != nil {
		return "", err
	}
	dir := boot.RecordDir(data)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", hint(fmt.Errorf("there is no record in %s", dir), "--data names the data folder; `durward up` or `durward serve` make one.")
	}
	return dir, nil
}

func auditTailCommand(a *app) *cobra.Command {
	var (
		r      recordFlags
		n      int
		follow bool
	)
	c := &cobra.Command{
		Use: "tail", Short: "Show the last calls", Args: args(0, 0),
		Example: "  durward audit tail -f --agent support-bot",
		RunE: func(c *cobra.Command, _ []string) error {
			if n < 0 {
				return usagef("-n %d: how many calls cannot be less than none", n)
			}
			f, err := r.filter(time.Now())
			if err != nil {
				return err
			}
			return a.tailRecord(c.Context(), f, n, follow)
		},
	}
	r.add(c, a)
	c.Flags().IntVarP(&n, "lines", "n", 20, "how many calls")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each new call")
	return c
}

func (a *app) tailRecord(ctx context.Context, f boot.RecordFilter, n int, follow bool) error {
	dir, err := a.recordDir()
	if err != nil {
		return err
	}
	return a.printRecords(dir, boot.TailRecord(ctx, dir, n, follow, f))
}

// printRecords prints calls of the record in dir, one a line.
func (a *app) printRecords(dir string, all iter.Seq2[boot.RecordEntry, error]) error {
	open := boot.Unsealed(filepath.Dir(dir))
	if !a.json() && a.out.tty {
		a.out.line("%s", a.out.dim(recordLine("TIME", "AGENT", "VERDICT", "OUTCOME", "MS", "CALL")))
	}
	for entry, err := range all {
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		if a.json() {
			a.out.line("%s", open(entry.JSON))
			continue
		}
		r, err := entry.Record()
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		a.out.line("%s", a.recordText(r))
	}
	return nil
}

func recordLine(when, agent, verdict, outcome, ms, call string) string {
	return fmt.Sprintf("%-19s  %-16s  %-7s  %-10s  %8s  %s", when, agent, verdict, outcome, ms, call)
}

// recordText is one call on one line; tabs between the fields when piped.
func (a *app) recordText(r durward.Record) string {
	call := r.Method
	if what := firstOf(r.Asked, r.Tool); what != "" && isCall(r.Method) {
		call = what
	} else if what != "" {
		call += " " + what
	}
	if r.Reason != durward.ReasonNone {
		call += "  " + string(r.Reason)
	}
	if r.Rule != "" && r.Verdict != durward.Allow.String() {
		call += " (" + r.Rule + ")"
	}
	ms := fmt.Sprintf("%.1f", float64(r.LatencyUS)/1000)
	agent := firstOf(r.Agent, r.User, "-")
	if !a.out.tty {
		return strings.Join([]string{r.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), oneLine(agent), r.Verdict, string(r.Outcome), ms, oneLine(call)}, "\t")
	}
	line := cut(recordLine(r.Time.Local().Format(time.DateTime), cut(oneLine(agent), 16), r.Verdict, string(r.Outcome), ms, oneLine(call)), a.out.width)
	switch {
	case r.Verdict == durward.Deny.String():
		return a.out.red(line)
	case r.Outcome != durward.OutcomeOK:
		return a.out.yellow(line)
	}
	return line
}

// isCall tells what an agent asked for from what people and the gateway did.
func isCall(method string) bool {
	kind, _, _ := strings.Cut(method, "/")
	return !slices.Contains([]string{"operator", "approval", "audit", "guard"}, kind)
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

func auditExportCommand(a *app) *cobra.Command {
	var (
		r      recordFlags
		format string
		sealed bool
	)
	c := &cobra.Command{
		Use: "export", Short: "Write the record as lines, oldest first", Args: args(0, 0),
		Example: "  durward audit export --since 24h > calls.jsonl\n  durward audit export --format ocsf --verdict deny",
		Long: "Writes the record, oldest first, complete, also while the gateway runs: as JSON lines, as OCSF (API Activity), or as\n" +
			"CEF. Values that are kept in full are opened, unless --sealed leaves each line as it stands in the log.\n" +
			"`audit: {export: [...]}` in durward.yaml sends records on as they come.",
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(boot.RecordFormats(), format) {
				return usagef("--format %s: use %s", format, strings.Join(boot.RecordFormats(), ", "))
			}
			f, err := r.filter(time.Now())
			if err != nil {
				return err
			}
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			var open func([]byte) []byte
			if !sealed {
				open = boot.Unsealed(filepath.Dir(dir))
			}
			return boot.ExportRecord(c.Context(), dir, f, format, open, a.out)
		},
	}
	r.add(c, a)
	c.Flags().StringVar(&format, "format", "jsonl", "form of the lines: jsonl, ocsf or cef")
	c.Flags().BoolVar(&sealed, "sealed", false, "leave what is sealed as it is")
	return c
}
