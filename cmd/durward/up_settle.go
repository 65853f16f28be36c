package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
)

// Which tools of imported servers the first agent may call.
const (
	allowReads = "reads"
	allowAll   = "all"
	allowNone  = "none"
)

// The first contact with the upstreams is bounded: a program that has to be
// downloaded first goes on starting after that. When one has answered, the
// others have a little more.
const (
	reachTime  = 10 * time.Second
	reachGrace = 2 * time.Second
)

// upReport is what up did, also for scripts.
type upReport struct {
	Data      string       `json:"data"`
	Fresh     bool         `json:"fresh"`
	URL       string       `json:"url"`
	Admin     string       `json:"admin"`
	AdminKey  string       `json:"admin_key_file"`
	Agent     string       `json:"agent"`
	KeyFile   string       `json:"key_file"`
	KeyID     string       `json:"key_id,omitempty"`
	Minted    bool         `json:"minted"`
	Record    string       `json:"record"`
	Imported  []string     `json:"imported,omitempty"`
	Upstreams []upUpstream `json:"upstreams"`
	Allowed   upCall       `json:"allowed"`
	Denied    upCall       `json:"denied"`

	key string
}

type upUpstream struct {
	Name     string   `json:"name"`
	Tools    int      `json:"tools"`
	Error    string   `json:"error,omitempty"`
	Findings []string `json:"findings,omitempty"` // tools that a scan would hold or block, and why
	Withheld []string `json:"withheld,omitempty"` // definitions that no agent gets to see
	own      bool     // the built-in example
}

// upCall is one of the two calls that up makes.
type upCall struct {
	Tool    string         `json:"tool"`
	Args    map[string]any `json:"arguments,omitempty"`
	Heard   string         `json:"heard"`            // what the agent got
	Reason  string         `json:"reason,omitempty"` // what the record says
	MS      float64        `json:"ms"`
	Refused bool           `json:"refused"`
}

// settle makes what is missing: upstreams, the role, the agent, the keys.
func (s *upState) settle(ctx context.Context, op *admin.Client, run admin.Run) error {
	s.report.Data, s.report.Fresh = run.Data, s.fresh
	s.report.URL, s.report.Admin = endpoint(run), fromHere(run.URL)
	s.report.Record = boot.RecordDir(run.Data)
	if err := s.upstreams(ctx, op); err != nil {
		return err
	}
	offers := s.reach(ctx, op)
	if err := s.role(ctx, op, offers); err != nil {
		return err
	}
	if err := s.agent(ctx, op, run.Data); err != nil {
		return err
	}
	s.plan(offers)
	return s.adminKey(ctx, op, run.Data)
}

// upstreams adds what is imported, or the example when there is nothing at all.
func (s *upState) upstreams(ctx context.Context, op *admin.Client) error {
	all, err := op.Upstreams(ctx)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, u := range all {
		have[u.Name] = true
	}
	if err := s.takeOver(ctx, op, have); err != nil {
		return err
	}
	own, err := boot.ExampleUpstream()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(u admin.Upstream) bool { return isExample(u.Upstream, own) })
	switch {
	case len(have) == 0:
		return op.AddUpstream(ctx, own)
	case i >= 0 && all[i].Command != own.Command && all[i].Origin == durward.FromStore: // this program was moved
		if err := op.RemoveUpstream(ctx, own.Name); err != nil {
			return err
		}
		return op.AddUpstream(ctx, own)
	}
	return nil
}

func isExample(u, own durward.Upstream) bool {
	return u.Name == own.Name && slices.Equal(u.Args, own.Args)
}

// reach contacts all upstreams at the same time.
func (s *upState) reach(ctx context.Context, op *admin.Client) map[string]admin.UpstreamTest {
	all, err := op.Upstreams(ctx)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	p := s.progress("reaching " + count(len(all), "upstream"))
	defer p.stop()
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		offers = map[string]admin.UpstreamTest{}
	)
	for _, u := range all {
		if u.Disabled {
			continue
		}
		wg.Go(func() {
			t, err := op.TestUpstream(ctx, u.Name)
			switch {
			case err != nil:
				t.Status = durward.UpstreamStatus{Name: u.Name, Error: "it did not answer in time; it may still be starting"}
			case t.Status.Error == "":
				time.AfterFunc(reachGrace, cancel)
			}
			mu.Lock()
			defer mu.Unlock()
			offers[u.Name] = t
		})
	}
	wg.Wait()
	own, _ := boot.ExampleUpstream() // without a name of its own nothing is the example
	for _, u := range all {
		t := offers[u.Name]
		s.report.Upstreams = append(s.report.Upstreams, upUpstream{
			Name: u.Name, Tools: len(t.Tools), Error: t.Status.Error, Findings: scanned(u.Name, t.Tools), Withheld: withheldOf(ctx, op, u.Name, len(t.Tools)), own: isExample(u.Upstream, own),
		})
	}
	return offers
}

// role makes the starter role, and lets an existing one have what was imported now.
func (s *upState) role(ctx context.Context, op *admin.Client, offers map[string]admin.UpstreamTest) error {
	all, err := op.Roles(ctx)
	if err != nil {
		return err
	}
	role := durward.Role{Name: firstRole}
	if i := slices.IndexFunc(all, func(r admin.Role) bool { return r.Name == firstRole }); i >= 0 {
		role = all[i].Role
		if s.allows = len(role.Allow) > 0; len(s.report.Imported) == 0 || all[i].Origin == durward.FromFile {
			return nil
		}
	}
	for _, u := range s.report.Upstreams {
		if u.own {
			allow, deny := boot.ExampleRules()
			role.Allow, role.Deny = union(role.Allow, allow), union(role.Deny, deny)
		} else if slices.Contains(s.report.Imported, u.Name) {
			role.Allow = union(role.Allow, permitted(s.f.allow, u.Name, offers[u.Name].Tools))
		}
	}
	s.allows = len(role.Allow) > 0
	return op.PutRole(ctx, role)
}

func union(a, b []string) []string {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// permitted are the patterns for an imported server. That a tool only reads is
// its own claim; a person chose to go by it.
func permitted(choice, upstream string, tools []json.RawMessage) []string {
	var out []string
	switch choice {
	case allowAll:
		return []string{upstream + "__*"}
	case allowReads:
		for _, raw := range tools {
			t := readTool(raw)
			name := upstream + "__" + t.Name
			if t.Annotations.ReadOnly && !strings.Contains(name, "*") && durward.CheckPattern(name) == nil {
				out = append(out, name)
			}
		}
	}
	return out
}

// agent makes the first agent, or finds its key again.
func (s *upState) agent(ctx context.Context, op *admin.Client, data string) error {
	s.report.Agent, s.report.KeyFile = firstAgent, keyFile(data, firstAgent)
	all, err := op.Agents(ctx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(all, func(v admin.Agent) bool { return v.Name == firstAgent })
	if known {
		if s.report.key, err = readKey(data, firstAgent); err != nil || s.report.key != "" {
			return err
		}
	}
	var m admin.Minted
	if known { // its key file is gone, and only hashes are kept
		m, err = op.RotateKey(ctx, firstAgent, admin.Rotation{Overlap: admin.DefaultOverlap})
	} else {
		m, err = op.CreateAgent(ctx, admin.NewAgent{Name: firstAgent, Roles: []string{firstRole}})
	}
	if err != nil {
		return err
	}
	s.report.key, s.report.KeyID, s.report.Minted = m.Secret, m.Key.ID, true
	_, err = saveKey(data, firstAgent, m.Secret)
	return err
}

// adminKey makes the operator's key, once.
func (s *upState) adminKey(ctx context.Context, op *admin.Client, data string) error {
	s.report.AdminKey = filepath.Join(data, "admin.key")
	all, err := op.AdminKeys(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(k admin.Key) bool { return k.State == "live" || k.State == "expiring" }) {
		return nil
	}
	m, err := op.CreateAdminKey(ctx, "", time.Time{})
	if err != nil {
		return err
	}
	if _, err := writeSecret(s.report.AdminKey, m.Secret); err != nil {
		return fmt.Errorf("operator's key: %w", err)
	}
	return nil
}
