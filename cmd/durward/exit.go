package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"durward/internal/config"
)

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// refusedError is a call that a rule refused, or something found that should not be.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refusedf(format string, args ...any) error { return &refusedError{fmt.Sprintf(format, args...)} }

// hintError is a failure with what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// errSaid ends a command that has said everything already.
var errSaid = errors.New("already said")

// said ends a command with an exit code and no further word.
type said struct{ code int }

func (s said) Error() string { return errSaid.Error() }

// report prints an error for people and returns the exit code.
func (a *app) report(ran *cobra.Command, err error) int {
	var (
		usage   *usageError
		refused *refusedError
		hinted  *hintError
		silent  said
		wrong   config.Problems
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &wrong):
		for _, p := range wrong {
			a.err.line("%s", clean(p.String()))
		}
		return exitFailed
	case errors.Is(err, context.Canceled):
		return exitFailed // a person pressed ^C and knows
	}
	a.err.line("%s %s", a.err.red("durward:"), clean(err.Error()))
	if errors.As(err, &hinted) {
		a.err.line("%s", clean(hinted.hint))
	}
	switch {
	case errors.As(err, &usage):
		a.err.line("Run `%s --help` for usage.", ran.CommandPath())
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	}
	return exitFailed
}
