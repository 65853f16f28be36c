package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/config"
)

// operator is what the verbs ask of whoever can change the state: the admin
// API of a running gateway, else the data folder itself.
type operator interface {
	Agents(ctx context.Context) ([]admin.Agent, error)
	Agent(ctx context.Context, name string) (admin.Agent, error)
	CreateAgent(ctx context.Context, in admin.NewAgent) (admin.Minted, error)
	SetAgentRoles(ctx context.Context, name string, roles []string) error
	SetAgentCompat(ctx context.Context, name string, compat durward.Compat) error
	SetAgentDisabled(ctx context.Context, name string, disabled bool) error
	RotateKey(ctx context.Context, name string, r admin.Rotation) (admin.Minted, error)
	RevokeAgent(ctx context.Context, name string) error
	RevokeKey(ctx context.Context, id string) error
	AdminKeys(ctx context.Context) ([]admin.Key, error)
	CreateAdminKey(ctx context.Context, name string, expires time.Time) (admin.Minted, error)
	Upstreams(ctx context.Context) ([]admin.Upstream, error)
	InspectUpstream(ctx context.Context, name string) (durward.UpstreamDetail, error)
	TestUpstream(ctx context.Context, name string) (admin.UpstreamTest, error)
	SignIn(ctx context.Context, upstream string, first bool) (durward.SignIn, error)
	Definitions(ctx context.Context, upstream string) ([]durward.Definition, error)
	Approve(ctx context.Context, upstream string, wanted []admin.Approval) ([]admin.Approved, error)
	AddUpstream(ctx context.Context, u durward.Upstream) error
	RemoveUpstream(ctx context.Context, name string) error
	Explain(ctx context.Context, q durward.Question) (durward.Explanation, error)
	Halts(ctx context.Context) ([]durward.Halt, error)
	Kill(ctx context.Context, k admin.Kill) (durward.Halt, error)
	Release(ctx context.Context, r admin.Release) (durward.Halt, error)
	Limits(ctx context.Context) ([]admin.LimitUse, error)
	ResetLimit(ctx context.Context, name, of string) (int, error)
	FullDefinitions(ctx context.Context, upstream string) ([]durward.Definition, error)
	Approvals(ctx context.Context, state durward.ApprovalState) ([]durward.Approval, error)
	Approval(ctx context.Context, id string) (durward.Approval, error)
	Answer(ctx context.Context, id string, in admin.ApprovalAnswer) (durward.Approval, error)
	Roles(ctx context.Context) ([]admin.Role, error)
	PutRole(ctx context.Context, r durward.Role) error
	DeleteRole(ctx context.Context, name string) error
}

var (
	_ operator = (*admin.Client)(nil)
	_ operator = (*admin.Direct)(nil)
)

// operate runs fn with an operator's powers over the data folder, or over the
// gateway that DURWARD_ADMIN names.
func (a *app) operate(ctx context.Context, fn func(operator) error) error {
	c, cfg, err := a.running(ctx)
	switch {
	case err == nil:
		defer c.Close()
		return plainly(fn(c))
	case !errors.Is(err, admin.ErrNotRunning):
		return err
	}
	if err := a.mayBeLocal(cfg.Data); err != nil {
		return err
	}
	direct, done, err := boot.Offline(cfg) // its lock keeps out a gateway that starts meanwhile
	if err != nil {
		return err
	}
	return errors.Join(plainly(fn(direct)), done())
}

// running speaks to the gateway that DURWARD_ADMIN names, else to the one on
// the data folder; where that is not there, it is [admin.ErrNotRunning] with the
// configuration that was looked into.
func (a *app) running(ctx context.Context) (*admin.Client, *config.Config, error) {
	if c := a.elsewhere(); c != nil {
		return c, nil, nil
	}
	cfg, err := a.settings(listenFlags{})
	if err != nil {
		return nil, nil, err
	}
	c, err := a.reach(ctx, cfg.Data)
	return c, cfg, err
}

// elsewhere speaks to the gateway that DURWARD_ADMIN names; nil when it names
// none, or a flag names what is here.
func (a *app) elsewhere() *admin.Client {
	base, _ := a.env("DURWARD_ADMIN")
	if base == "" || a.data != "" || a.config != "" {
		return nil
	}
	key, _ := a.env("DURWARD_ADMIN_KEY")
	return admin.NewClient(base, durward.NewCredential(key))
}

// reach speaks to the gateway that uses a data folder: as the operator whose key
// is set, else as whoever is local. None there is [admin.ErrNotRunning].
func (a *app) reach(ctx context.Context, data string) (*admin.Client, error) {
	c, run, err := admin.Connect(ctx, data)
	if key, _ := a.env("DURWARD_ADMIN_KEY"); err == nil && key != "" {
		c.Close()
		c = admin.NewClient(run.URL, durward.NewCredential(key))
	}
	return c, err
}

// mayBeLocal refuses work on the data folder itself to who has said, by a key,
// to be somebody: only a gateway can tell whether that is so.
func (a *app) mayBeLocal(data string) error {
	if key, _ := a.env("DURWARD_ADMIN_KEY"); key != "" {
		return usagef("no gateway is running on the data folder %s to check DURWARD_ADMIN_KEY; start it, or unset the key to do this as the local user", data)
	}
	return nil
}

// plainly is an error in the words that are meant for people.
func plainly(err error) error {
	var e *durward.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Code == durward.Unauthenticated {
		return refusedf("%s", e.Message)
	}
	if e.Code == durward.Internal && e.Err != nil {
		return e
	}
	return errors.New(e.Message)
}

// ahead reads an end: a date, a time, or how long from now (90m, 12h, 30d). Nothing is never.
func ahead(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "never" {
		return time.Time{}, nil
	}
	if d, err := days(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	t, err := moment(text, now)
	if err != nil || !t.After(now) {
		return time.Time{}, usagef("%q is no time to come; write 30d, 12h or 2027-01-31", text)
	}
	return t, nil
}

// days is a duration that may be written in days.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(n + "h")
		return 24 * d, err
	}
	return time.ParseDuration(text)
}

// complete offers names of what the operator sees; with no gateway nothing.
func (a *app) complete(names func(context.Context, operator) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var out []string
	_ = a.operate(ctx, func(op operator) error {
		all, err := names(ctx, op)
		out = all
		return err
	}) // nothing to offer is no error here
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeAgents(_ *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(ctx context.Context, op operator) (names []string, err error) {
		all, err := op.Agents(ctx)
		for _, v := range all {
			names = append(names, v.Name)
		}
		return names, err
	})
}

func (a *app) completeUpstreams(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(ctx context.Context, op operator) (names []string, err error) {
		all, err := op.Upstreams(ctx)
		for _, v := range all {
			names = append(names, v.Name)
		}
		return names, err
	})
}

func (a *app) completeRoles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(ctx context.Context, op operator) (names []string, err error) {
		all, err := op.Roles(ctx)
		for _, v := range all {
			names = append(names, v.Name)
		}
		return names, err
	})
}

// first is a completion for the first word only.
func first(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(words) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(c, words, start)
	}
}
