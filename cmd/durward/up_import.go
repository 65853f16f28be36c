package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"durward/internal/boot"
	"durward/internal/config"
)

// toImport says which servers of clients are taken over: those of the named
// files, else those that a person agrees to. On an existing data folder only
// named files count: what is there was chosen before.
func (a *app) toImport(lines *bufio.Scanner, f upFlags, cfg *config.Config, fresh bool) (boot.Found, error) {
	if len(f.imports) > 0 {
		found, err := boot.ReadClients(f.imports, boot.OwnAddresses(cfg))
		if err != nil {
			return found, err
		}
		a.notes(found)
		if len(found.Proposals) == 0 {
			return found, hint(fmt.Errorf("there is no server to import in %s", strings.Join(f.imports, ", ")), "A client's configuration has mcpServers, servers, or [mcp_servers.NAME] tables.")
		}
		return found, nil
	}
	if f.yes && !a.canAsk() && fresh {
		a.err.line("Nothing of your clients is imported: without a terminal --yes agrees to nothing. --import FILE names what to import.")
	}
	if !a.canAsk() || !fresh || len(cfg.Upstreams) > 0 {
		return boot.Found{}, nil
	}
	return a.agreed(lines, f, cfg)
}

// agreed looks for servers on this machine and asks about them.
func (a *app) agreed(lines *bufio.Scanner, f upFlags, cfg *config.Config) (boot.Found, error) {
	here, err := os.Getwd()
	if err != nil {
		return boot.Found{}, fmt.Errorf("find this folder: %w", err)
	}
	found, err := boot.FindClients(here, boot.OwnAddresses(cfg))
	if err != nil || len(found.Proposals) == 0 {
		return boot.Found{}, err
	}
	a.err.line("Your clients use %s today:\n", count(len(found.Proposals), "server"))
	for _, p := range found.Proposals {
		from := p.Sources[0].Client.Title()
		if more := len(p.Sources) - 1; more > 0 {
			from += fmt.Sprintf(" and %d more", more)
		}
		a.err.line("  %s  %s", a.err.bold(p.Upstream.Name), a.err.dim(from))
		a.err.line("    %s", boot.DescribeUpstream(p.Upstream))
	}
	a.err.line("")
	a.notes(found)
	if f.yes || a.confirm(lines, "Put them behind Durward? Nothing in the clients' files changes.", true) {
		return found, nil
	}
	return boot.Found{}, nil
}

// askAllow asks which tools of the imported servers the first agent may call.
// That a tool only reads is its own claim, so that is a person's choice, too;
// without an answer nothing is allowed.
func (a *app) askAllow(lines *bufio.Scanner) string {
	if !a.canAsk() {
		return allowNone
	}
	a.prompt("  Which of their tools may %s call? %s (none, reads: those that claim only to read, all) [none] ", firstAgent, a.err.dim("You can change it later."))
	for lines.Scan() {
		switch word := strings.ToLower(strings.TrimSpace(lines.Text())); word {
		case allowNone, allowReads, allowAll:
			return word
		case "":
			return allowNone
		}
		a.prompt("  none, reads or all? ")
	}
	return allowNone
}

func (a *app) notes(found boot.Found) {
	for _, n := range found.Notes {
		a.err.line("%s", a.err.dim(clean(n.String())))
	}
}

// takeOver adds the upstreams that are not there yet and says which were
// refused, without giving the rest up.
func (s *upState) takeOver(ctx context.Context, op operator, have map[string]bool) error {
	for _, p := range s.found.Proposals {
		if have[p.Upstream.Name] {
			s.err.line("%s is there already and stays as it is", p.Upstream.Name)
			continue
		}
		if err := op.AddUpstream(ctx, p.Upstream); err != nil {
			s.err.line("%s is not imported: %v", p.Upstream.Name, clean(plainly(err).Error()))
			continue
		}
		have[p.Upstream.Name] = true
		s.report.Imported = append(s.report.Imported, p.Upstream.Name)
	}
	if len(s.found.Proposals) > 0 && len(have) == 0 {
		return errors.New("none of the servers could be imported")
	}
	return nil
}
