package runaway

import (
	"time"

	"durward"
)

// trail is what one session or principal did lately.
type trail struct {
	began, used int64 // unix ns

	calls  [hotCalls]heat // that come again
	errors int64          // in a row
	failed int64          // when the last was

	last, before uint64 // prints of the last two calls that differ
	turns        int64  // that these two took
	turned       int64  // when

	tools   []seen // different ones
	spent   level
	dangers []seen // dangerous ones, and when they were last used
}

// heat is a call that comes again: it cools by the limit in each window.
type heat struct {
	print uint64
	level level
	told  int64
}

type seen struct {
	tool string
	at   int64
}

// level is a leaky count: n things, of which limit leak away in each window.
type level struct {
	n  float64
	at int64
}

func (l *level) add(now, n, limit int64, window time.Duration) int64 {
	l.n = max(l.n-float64(now-l.at)*float64(limit)/float64(window), 0) + float64(n)
	l.at = now
	return int64(l.n + 0.5)
}

// loops looks for circles.
func (t *trail) loops(now int64, p *durward.Runaway, a Act) Sign {
	sign := t.same(now, p, a)
	sign = worse(sign, t.pingPong(now, p, a))
	if t.errors >= int64(p.Errors) && p.Errors > 0 {
		sign = worse(sign, signOf(durward.SignalErrors, t.errors, int64(p.Errors)))
	}
	return sign
}

func signOf(signal string, count, limit int64) Sign {
	return Sign{Signal: signal, Count: count, Limit: limit, Crossed: crossed(count, limit)}
}

// crossed tells that a count is the limit, or the limit doubled as often as may be.
func crossed(count, limit int64) bool {
	if limit <= 0 || count%limit != 0 {
		return false
	}
	times := count / limit
	return times > 0 && times&(times-1) == 0
}

// same counts calls with the same arguments.
func (t *trail) same(now int64, p *durward.Runaway, a Act) Sign {
	if p.SameCall <= 0 {
		return Sign{}
	}
	limit := int64(p.SameCall)
	h := t.hot(a.Print)
	if h.print != a.Print {
		*h = heat{print: a.Print}
	}
	n := h.level.add(now, 1, limit, p.Window)
	if n < limit {
		h.told = 0
		return Sign{}
	}
	s := Sign{Signal: durward.SignalSameCall, Count: n, Limit: limit}
	if times := n / limit; times > h.told { // a level may stay where it is for long
		s.Crossed, h.told = times&(times-1) == 0, times
	}
	return s
}

// hot is the place of a call: its own, or that of what was called least lately.
func (t *trail) hot(print uint64) *heat {
	coldest := &t.calls[0]
	for i := range t.calls {
		h := &t.calls[i]
		if h.print == print {
			return h
		}
		if h.level.at < coldest.level.at {
			coldest = h
		}
	}
	return coldest
}

// pingPong counts how often two calls take turns.
func (t *trail) pingPong(now int64, p *durward.Runaway, a Act) Sign {
	switch {
	case a.Print == t.last:
		t.turns = 0 // the same again is another sign
	case a.Print == t.before && now-t.turned < int64(p.Window):
		t.turns++
		t.before, t.last = t.last, a.Print
	default:
		t.turns = 0
		t.before, t.last = t.last, a.Print
	}
	t.turned = now
	if p.PingPong <= 0 || t.turns < int64(p.PingPong) {
		return Sign{}
	}
	return signOf(durward.SignalPingPong, t.turns, int64(p.PingPong))
}

// ended counts failures in a row; long after the last they are no row.
func (t *trail) ended(now int64, p *durward.Runaway, failed bool) {
	if !failed {
		t.errors = 0
		return
	}
	if now-t.failed > 5*int64(p.Window) {
		t.errors = 0
	}
	t.errors++
	t.failed = now
}

// wide looks at all that a principal does, whatever the session.
func (t *trail) wide(now int64, p *durward.Runaway, a Act) Sign {
	sign := t.fanOut(now, p, a)
	if p.Spend > 0 {
		if n := t.spent.add(now, a.Cost, p.Spend, p.Window); n >= p.Spend {
			s := Sign{Signal: durward.SignalSpend, Count: n, Limit: p.Spend}
			s.Crossed = n-a.Cost < p.Spend*(n/p.Spend)
			sign = worse(sign, s)
		}
	}
	if a.Dangerous && p.Novel > 0 {
		sign = worse(t.novel(now, p, a), sign)
	}
	return sign
}

// fanOut counts the different tools of a window.
func (t *trail) fanOut(now int64, p *durward.Runaway, a Act) Sign {
	if p.FanOut <= 0 {
		return Sign{}
	}
	known := note(&t.tools, a.Tool, now, maxTools)
	if known || len(t.tools) < p.FanOut {
		return Sign{}
	}
	kept := t.tools[:0]
	for _, s := range t.tools {
		if now-s.at <= int64(p.Window) {
			kept = append(kept, s)
		}
	}
	clear(t.tools[len(kept):])
	if t.tools = kept; len(kept) < p.FanOut {
		return Sign{}
	}
	return signOf(durward.SignalFanOut, int64(len(kept)), int64(p.FanOut))
}

// novel finds a dangerous tool that was not used for hours, by a principal
// that was at work in that time.
func (t *trail) novel(now int64, p *durward.Runaway, a Act) Sign {
	var last int64
	for _, s := range t.dangers {
		if s.tool == a.Tool {
			last = s.at
		}
	}
	note(&t.dangers, a.Tool, now, maxDangers)
	if now-t.began < int64(p.Novel) || now-last < int64(p.Novel) {
		return Sign{}
	}
	return Sign{Signal: durward.SignalNovel, Count: 1, Limit: 1, Crossed: true}
}

// note remembers when a tool was last seen, and tells whether it was known.
// When there are too many, the one that was not seen for longest goes.
func note(all *[]seen, tool string, now int64, most int) (known bool) {
	oldest := 0
	for i := range *all {
		s := &(*all)[i]
		if s.tool == tool {
			s.at = now
			return true
		}
		if s.at < (*all)[oldest].at {
			oldest = i
		}
	}
	if len(*all) < most {
		*all = append(*all, seen{tool, now})
		return false
	}
	(*all)[oldest] = seen{tool, now}
	return false
}
