package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"durward"
)

const (
	signInPoll = 500 * time.Millisecond
	signInWait = 40 * time.Second // for an upstream that says nothing of a sign-in
)

func upstreamLoginCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "login NAME", Short: "Sign the gateway in at an upstream that asks for it (OAuth)", Args: args(1, 1),
		Example: "  durward upstream login crm",
		Long: "Signs the gateway in at an upstream that answers 401, and waits until that is done. It prints the address of the page where you\n" +
			"consent; the browser comes back to the gateway's admin listener. What is granted is kept in the data folder, refreshed, and used\n" +
			"for all agents that may use the upstream. Without a client_id under oauth: in durward.yaml, the gateway registers itself.",
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error { return a.signIn(c.Context(), op, words[0]) })
		},
	}
}

// signIn asks again and again: as long as it does, the gateway knows that a
// person is there.
func (a *app) signIn(ctx context.Context, op operator, name string) error {
	p := a.progress("signing in at " + name)
	defer p.stop()
	shown, quiet := "", time.Now()
	for begin := true; ; begin = false {
		s, err := op.SignIn(ctx, name, begin)
		if err != nil {
			return err
		}
		if s.URL != "" && s.URL != shown {
			shown = s.URL
			p.stop()
			a.showSignIn(s)
		}
		switch {
		case s.Busy:
			quiet = time.Now()
		case s.Error != "":
			return errors.New("signing in at " + name + " failed: " + oneLine(s.Error))
		case s.State == "ready":
			p.stop()
			return a.signedIn(s, shown != "")
		case time.Since(quiet) > signInWait:
			return errors.New(name + " cannot be reached, or does not say that it wants a sign-in; durward upstream test " + name + " tells more")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(signInPoll):
		}
	}
}

func (a *app) showSignIn(s durward.SignIn) {
	if a.json() {
		_ = printJSON(a.out, s) // one line for each step
		return
	}
	a.out.line("Open this page and consent:\n\n  %s\n", s.URL)
}

func (a *app) signedIn(s durward.SignIn, consented bool) error {
	switch {
	case a.json():
		return printJSON(a.out, s)
	case consented:
		a.out.line("%s signed in at %s", a.out.green("✓"), s.Upstream)
	default:
		a.out.line("%s %s answers; no sign-in is needed", a.out.green("✓"), s.Upstream)
	}
	return nil
}
