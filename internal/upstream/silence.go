package upstream

import "time"

// How long a reading may last before an upstream is said not to answer. The
// reading goes on: that is much sooner than it is given up.
const (
	silentAtFirst = 2 * time.Second  // of one that was never read
	silentLater   = 10 * time.Second // of one whose lists are known
)

// mindSilence tells of an upstream that does not answer while it is read, once
// in a row of failures. It returns what is to be called when the reading has
// ended; after that nothing is told any more.
func (k *keeper) mindSilence() (answered func()) {
	if k.failed != nil {
		return func() {} // what is wrong is told
	}
	s, after, state := k.server, silentLater, k.server.status().State
	why := s.unavailable("does not answer.", nil)
	if s.listing.Load().Fetched.IsZero() {
		why, after = s.unavailable("has not answered yet; it may still be starting.", nil), silentAtFirst
		state = "connecting"
	}
	told := make(chan struct{})
	timer := time.AfterFunc(after, func() {
		defer close(told)
		s.log.Warn("upstream does not answer", "for", after)
		s.become(state, why)
		next := *s.listing.Load() // nobody else writes it meanwhile
		next.Err = why
		s.listing.Store(&next)
		s.set.wake()
	})
	return func() {
		if !timer.Stop() {
			<-told
		}
	}
}
