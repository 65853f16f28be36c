package upstream

import (
	"context"
	"durward"
	"durward/internal/upstream/link"
	"errors"
	"fmt"
)

func unknownUpstream(name string) *durward.Error {
	return &durward.Error{
		Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable,
		Message: "There is no upstream " + name + ", or it is disabled.",
	}
}

func (s *server) unread() *durward.Error {
	return s.unavailable("has not been read yet; try again in a moment.", nil)
}

func (s *server) unavailable(what string, cause error) *durward.Error {
	return &durward.Error{
		Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable,
		Message: "The upstream " + s.up.Name + " " + what, Err: cause,
	}
}

// ErrNotMade says of a call that failed that it is certain that it was not made.
var ErrNotMade = errors.New("the call was not made")

// unmade marks what went wrong before a call was sent.
func unmade(err error) error {
	var e *durward.Error
	if !errors.As(err, &e) || e.Err == nil { // ours, and told in its message
		return err
	}
	own := *e // which may be that of others as well
	own.Err = fmt.Errorf("%w: %w", ErrNotMade, e.Err)
	return &own
}

// notMade is the answer to a call that no session of the server took up.
func (s *server) notMade(cause error) *durward.Error {
	e := s.unavailable("had ended the session and did not take up the call. It was not made and can be made again.", fmt.Errorf("%w: %w", ErrNotMade, cause))
	e.Retry = retrySoon
	return e
}

func (s *server) protocol(what string, cause error) *durward.Error {
	return &durward.Error{
		Code: durward.Unavailable, Reason: durward.ReasonUpstreamProtocol,
		Message: "The upstream " + s.up.Name + " " + what, Err: cause,
	}
}

func (s *server) timedOut(cause error) *durward.Error {
	return &durward.Error{
		Code: durward.Timeout, Reason: durward.ReasonUpstreamTimeout,
		Message: "The upstream " + s.up.Name + " did not answer in time.", Err: cause,
	}
}

func (s *server) overloaded(what string) *durward.Error {
	return &durward.Error{
		Code: durward.Overloaded, Reason: durward.ReasonOverloaded,
		Message: "The upstream " + s.up.Name + " " + what, Retry: retrySoon,
	}
}

// cannotCross is the answer to what only the bridge between the eras could do.
func (s *server) cannotCross(what string) *durward.Error {
	return &durward.Error{
		Code: durward.BadRequest, Reason: durward.ReasonCapabilityMissing,
		Message: "The upstream " + s.up.Name + " asked for " + what +
			", which cannot be passed on between the protocol revisions of this client and that server.",
	}
}

// undeclared is the answer when a server asks for what nobody promised it.
func (s *server) undeclared(what string) *durward.Error {
	return &durward.Error{
		Code: durward.Unavailable, Reason: durward.ReasonCapabilityMissing,
		Message: "The upstream " + s.up.Name + " asked for " + what + ", which this client never said that it can give.",
	}
}

// explain makes the error for the agent of what went wrong on the way. outer
// is the caller's context, ctx has the call's timeout over it.
func (s *server) explain(outer, ctx context.Context, err error) *durward.Error {
	var ready *durward.Error
	var f *link.Fault
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.Is(outer.Err(), context.Canceled) && !errors.Is(context.Cause(outer), context.DeadlineExceeded):
		return &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The call was cancelled.", Err: err}
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return s.timedOut(err)
	case errors.As(err, &f):
		return s.explainFault(f)
	}
	return s.unavailable("cannot be reached.", err)
}

func (s *server) explainFault(f *link.Fault) *durward.Error {
	switch f.Kind {
	case link.Unreachable:
		return s.unavailable("cannot be reached.", f)
	case link.Garbled:
		return s.protocol("sent an answer that is not valid.", f)
	case link.Flooded:
		return s.protocol("sent more than is allowed.", f)
	case link.Refused:
		return s.unavailable("refuses the gateway's credentials.", f)
	case link.Busy:
		e := s.overloaded("is busy.")
		e.Retry, e.Err = or(f.Retry, retrySoon), f
		return e
	case link.Lost:
		return s.unavailable("has lost the session; a new one is opened with the next call. Whether this call had an effect is not known.", f)
	case link.WrongEra:
		return s.protocol("does not speak a protocol revision that the gateway knows.", f)
	case link.TimedOut:
		return s.timedOut(f)
	}
	switch {
	case f.Status >= 300 && f.Status < 400:
		return s.unavailable(fmt.Sprintf("redirects elsewhere (HTTP %d), which is never followed; its operator can declare where it leads to.", f.Status), f)
	case f.Status >= 400:
		return s.unavailable(fmt.Sprintf("answered with HTTP %d. Whether the call had an effect is not known.", f.Status), f)
	}
	return s.unavailable("broke off the call. Whether it had an effect is not known.", f)
}
