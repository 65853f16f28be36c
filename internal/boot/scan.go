package boot

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/scan"
	"durward/internal/upstream"
)

// The forms of a scan's report.
const (
	ScanHuman = "human"
	ScanJSON  = "json"
	ScanJSONL = "jsonl" // lines in, lines out
	ScanSARIF = "sarif"
)

// ScanFormats lists them.
func ScanFormats() []string { return []string{ScanHuman, ScanJSON, ScanJSONL, ScanSARIF} }

// ScanTotals count what came of a scan.
type ScanTotals = scan.Totals

// ScanLevels are the verdicts from which a scan may be called failed.
func ScanLevels() []string { return scan.Levels() }

// ScanOptions say how a scan reports.
type ScanOptions struct {
	Format  string // one of ScanFormats
	Out     io.Writer
	Version string
	Paint   func(verdict, text string) string // colours of the form for people; may be nil
}

// Scan runs the guard's detectors, without a gateway, for the command line.
type Scan struct {
	o       ScanOptions
	scanner *scan.Scanner
	sink    scan.Sink
}

// NewScan begins a report.
func NewScan(o ScanOptions) (*Scan, error) {
	e, err := guard.New(guard.Options{})
	if err != nil {
		return nil, err
	}
	s := &Scan{o: o}
	switch o.Format {
	case ScanHuman:
		s.sink = scan.Human(o.Out, o.Paint)
	case ScanJSON:
		s.sink = scan.JSON(o.Out)
	case ScanJSONL:
		s.sink = scan.JSONL(o.Out)
	case ScanSARIF:
		s.sink = scan.SARIF(o.Out, o.Version)
	default:
		return nil, fmt.Errorf("there is no form %s of a report", o.Format)
	}
	s.scanner = scan.New(e, s.sink)
	return s, nil
}

// Close ends the report.
func (s *Scan) Close() (ScanTotals, error) { return s.scanner.Totals(), s.sink.Close() }

// Fail reports a source that could not be read.
func (s *Scan) Fail(source string, err error) error {
	return s.scanner.Fail(&scan.Failure{Source: source, Error: err.Error()})
}

// Read scans a file: JSON lines one by one, anything else as a whole. When
// the file declares servers for a client, it returns what it declares: those
// servers are neither started nor reached.
func (s *Scan) Read(source string, in io.Reader) (Found, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	if s.o.Format == ScanJSONL || scan.AreLines(source, r) {
		return Found{}, s.scanner.Lines(source, r)
	}
	raw, err := scan.ReadDocument(r)
	if err != nil {
		return Found{}, s.Fail(source, err)
	}
	if found := declared(source, raw); len(found.Proposals)+len(found.Notes) > 0 {
		return found, s.scanner.Configuration(source, raw)
	}
	return Found{}, s.scanner.Document(source, raw)
}

// declared is what a file declares for a client.
func declared(path string, raw []byte) Found {
	marks := [][]byte{[]byte(`"mcpServers"`), []byte(`"servers"`), []byte("mcp_servers")}
	if !slices.ContainsFunc(marks, func(m []byte) bool { return bytes.Contains(raw, m) }) {
		return Found{}
	}
	found, err := ReadClients([]string{path}, nil)
	if err != nil { // not a file with a name
		return Found{}
	}
	return found
}

// Listed scans the tools that a server lists.
func (s *Scan) Listed(server string, tools []json.RawMessage) error {
	return s.scanner.Definitions(server, definitions(tools))
}

// LeftOut reports items of a server's lists that could not be read, each with why.
func (s *Scan) LeftOut(server string, why []string) error {
	for _, w := range why {
		if err := s.Fail(server, errors.New("left out: "+w)); err != nil {
			return err
		}
	}
	return nil
}

func definitions(tools []json.RawMessage) [][]byte {
	out := make([][]byte, len(tools))
	for i, t := range tools {
		out[i] = t
	}
	return out
}

// Servers starts or reaches servers, as long as ctx lasts, scans all that they
// list, and what one says about another's tools. They are ended before it
// returns.
func (s *Scan) Servers(ctx context.Context, ups []durward.Upstream) error {
	all, failed := listings(ctx, s.o.Version, ups)
	tools := map[string][][]byte{}
	for _, l := range all {
		if l != nil {
			tools[l.Upstream] = l.Tools
		}
	}
	registry := scan.Approve(tools)
	if len(ups) == 1 {
		registry = nil
	}
	for i, l := range all {
		if failed[i] != nil {
			if err := s.Fail(ups[i].Name, failed[i]); err != nil {
				return err
			}
			continue
		}
		if err := s.LeftOut(l.Upstream, l.Left); err != nil {
			return err
		}
		if err := s.scanner.Instructions(l.Upstream, l.Instructions); err != nil {
			return err
		}
		if err := s.scanner.Among(l.Upstream, l.Tools, registry); err != nil {
			return err
		}
		rest := slices.Concat(l.Prompts, l.Resources, l.Templates)
		if err := s.scanner.Definitions(l.Upstream, rest); err != nil {
			return err
		}
	}
	return nil
}

// leaveTime is what servers have to end politely after a scan.
const leaveTime = 5 * time.Second

// listings starts or reaches servers, as long as ctx lasts, and reads what they
// list. They are ended before it returns.
func listings(ctx context.Context, version string, ups []durward.Upstream) ([]*upstream.Listing, []error) {
	set := upstream.New(upstream.Options{Log: slog.New(slog.DiscardHandler), Version: version, Watchdog: watchdog()})
	defer func() {
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		defer cancel()
		_ = set.Close(leave) // then they were ended by force
	}()
	set.Apply(ups)
	all, failed := make([]*upstream.Listing, len(ups)), make([]error, len(ups))
	var wg sync.WaitGroup
	for i := range ups {
		wg.Go(func() {
			l, err := set.Listing(ctx, ups[i].Name)
			if err == nil && l.Err != nil {
				err = l.Err
			}
			if ctx.Err() != nil {
				err = errors.Join(errors.New("it did not answer in time"), err)
			}
			all[i], failed[i] = l, err
		})
	}
	wg.Wait()
	for i := range all {
		if failed[i] != nil {
			all[i] = nil
		}
	}
	return all, failed
}

// ScanBriefly says, a line for each tool of a server that would be held or
// blocked, why: "daily_quote: orders to the agent in its description".
func ScanBriefly(server string, tools []json.RawMessage) ([]string, error) {
	e, err := guard.New(guard.Options{})
	if err != nil {
		return nil, err
	}
	return scan.Brief(e, server, definitions(tools)), nil
}
