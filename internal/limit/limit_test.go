package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/limit"
)

var (
	agent = &durward.Agent{Name: "bot", Roles: []string{"crm", "ops"}}
	tool  = &durward.Operation{Kind: durward.KindTool, Upstream: "crm", Name: "add", PolicyName: "crm__add"}
	start = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
)

func match(pattern string) (limit.Matcher, error) {
	return func(op *durward.Operation) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return op.PolicyName == pattern || wild && strings.HasPrefix(op.PolicyName, prefix)
	}, nil
}

func compile(t testing.TB, l durward.Limits, agents ...durward.Agent) (*limit.Program, []durward.Agent) {
	t.Helper()
	if len(agents) == 0 {
		agents = []durward.Agent{*agent}
	}
	p, err := limit.Compile(l, agents, match)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return p, agents
}

// books of a desk, by what is asked.
type books struct {
	t    testing.TB
	desk *limit.Desk
	p    *limit.Program
	by   *durward.Agent
	now  time.Time
}

func open(t testing.TB, rules ...durward.Limit) *books {
	t.Helper()
	p, agents := compile(t, durward.Limits{Rules: rules})
	return &books{t: t, desk: limit.NewDesk(limit.NewMemory(limit.Options{})), p: p, by: &agents[0], now: start}
}

func (b *books) take() (*limit.Booking, *limit.Refused) {
	b.t.Helper()
	booking, refused, err := b.desk.Take(b.t.Context(), b.p, limit.Subject{Agent: b.by, Key: "k1", Op: tool, Bytes: 100}, b.now)
	if err != nil {
		b.t.Fatalf("Take: %v", err)
	}
	return booking, refused
}

func (b *books) close(booking *limit.Booking, made bool, reply int64) {
	b.t.Helper()
	if err := b.desk.Close(b.t.Context(), booking, b.now, made, reply); err != nil {
		b.t.Fatalf("Close: %v", err)
	}
}

// spend takes and makes calls until one is refused.
func (b *books) spend(most int) (n int, why *limit.Refused) {
	for range most {
		booking, refused := b.take()
		if refused != nil {
			return n, refused
		}
		b.close(booking, true, 0)
		n++
	}
	return n, nil
}

func TestARateGivesItsBurstAndThenComesBackEvenly(t *testing.T) {
	b := open(t, durward.Limit{Name: "r", Unit: durward.UnitCalls, Most: 60, Every: time.Minute, Burst: 5})
	n, why := b.spend(100)
	if n != 5 || why.Retry != time.Second || why.Limit.Name != "r" || why.State.Left != 0 {
		t.Fatalf("%d calls, then %+v; want 5, then try again in 1 s", n, why)
	}
	b.now = b.now.Add(999 * time.Millisecond)
	if n, why = b.spend(100); n != 0 || why.Retry != time.Millisecond {
		t.Errorf("just before its time %d calls are let through, retry %v", n, why.Retry)
	}
	b.now = b.now.Add(time.Millisecond)
	if n, _ = b.spend(100); n != 1 {
		t.Errorf("after the time that was named %d calls are let through, want 1", n)
	}
	b.now = b.now.Add(time.Hour)
	if n, _ = b.spend(100); n != 5 {
		t.Errorf("after a rest %d calls are let through, want the burst of 5", n)
	}
}

func TestQuotasEndWithTheirDayAndMonth(t *testing.T) {
	for _, tc := range []struct {
		calendar, zone string
		before, after  time.Time // the border lies between
	}{
		{"day", "", time.Date(2026, 2, 28, 23, 59, 59, 999, time.UTC), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		{"month", "", time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC)},
		{"month", "", time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"day", "America/New_York", time.Date(2026, 7, 4, 3, 59, 59, 0, time.UTC), time.Date(2026, 7, 4, 4, 0, 0, 0, time.UTC)},
		// the day on which the clock jumps forward has 23 hours
		{"day", "Europe/London", time.Date(2026, 3, 29, 22, 59, 59, 0, time.UTC), time.Date(2026, 3, 29, 23, 0, 0, 0, time.UTC)},
	} {
		t.Run(tc.calendar+" "+tc.zone, func(t *testing.T) {
			p, agents := compile(t, durward.Limits{Zone: tc.zone, Rules: []durward.Limit{{Name: "q", Unit: durward.UnitCalls, Most: 3, Calendar: tc.calendar}}})
			b := &books{t: t, desk: limit.NewDesk(limit.NewMemory(limit.Options{})), p: p, by: &agents[0], now: tc.before}
			n, why := b.spend(10)
			if n != 3 || why.Retry != tc.after.Sub(tc.before) {
				t.Fatalf("%d calls, then %+v; want 3, then %v", n, why, tc.after.Sub(tc.before))
			}
			if b.now = tc.after; true {
				if n, _ = b.spend(10); n != 3 {
					t.Errorf("after the border %d calls, want 3", n)
				}
			}
			b.now = tc.before // a clock that goes back gives nothing
			if n, _ = b.spend(10); n != 0 {
				t.Errorf("after the clock went back %d calls, want none", n)
			}
		})
	}
}

func TestAClockThatGoesBackLocksNobodyOutForLong(t *testing.T) {
	b := open(t, durward.Limit{Name: "r", Unit: durward.UnitCalls, Most: 10, Every: time.Second})
	b.spend(10)
	b.now = b.now.Add(-24 * time.Hour)
	if _, why := b.spend(1); why == nil || why.Retry > time.Second {
		t.Errorf("after the clock went back a day: %+v, want at most a second", why)
	}
}

// TestAllOrNothing: who is refused by one limit is counted in none.
func TestAllOrNothing(t *testing.T) {
	b := open(t,
		durward.Limit{Name: "wide", Unit: durward.UnitCalls, Most: 10, Calendar: "day"},
		durward.Limit{Name: "narrow", Unit: durward.UnitCalls, Most: 2, Every: time.Hour, Per: []durward.Dimension{durward.PerAgent, durward.PerTool}},
		durward.Limit{Name: "cost", Unit: durward.UnitCost, Most: 5, Calendar: "month"})
	for range 50 {
		b.spend(1)
	}
	for _, s := range left(b) {
		want := map[string]int64{"wide": 8, "narrow": 0, "cost": 3}[s.Name]
		if s.Left != want {
			t.Errorf("%s has %d left, want %d", s.Name, s.Left, want)
		}
	}
}

func left(b *books) []durward.LimitState {
	states, _ := b.desk.Peek(b.p, limit.Subject{Agent: b.by, Key: "k1", Op: tool, Bytes: 1}, b.now)
	return states
}

func TestWhatWasNeverMadeIsGivenBack(t *testing.T) {
	b := open(t,
		durward.Limit{Name: "rate", Unit: durward.UnitCalls, Most: 3, Every: time.Hour},
		durward.Limit{Name: "quota", Unit: durward.UnitCalls, Most: 3, Calendar: "day"},
		durward.Limit{Name: "bytes", Unit: durward.UnitBytes, Most: 1000, Calendar: "day"},
		durward.Limit{Name: "at once", Unit: durward.UnitConcurrency, Most: 1})
	for range 20 { // far more than there is
		booking, refused := b.take()
		if refused != nil {
			t.Fatalf("refused by %s although nothing was used", refused.Limit.Name)
		}
		if _, second := b.take(); second == nil || second.Limit.Name != "at once" {
			t.Fatalf("a second call at once: %+v", second)
		}
		b.close(booking, false, 0)
	}
	for _, s := range left(b) {
		if s.Left != s.Most {
			t.Errorf("%s has %d of %d left", s.Name, s.Left, s.Most)
		}
	}
}

func TestBytesCountRepliesAndRefuseUntilTheDebtIsPaid(t *testing.T) {
	b := open(t, durward.Limit{Name: "bytes", Unit: durward.UnitBytes, Most: 1000, Every: 10 * time.Second})
	booking, _ := b.take() // 100 of the request
	b.close(booking, true, 2900)
	_, why := b.take()
	if why == nil || why.Retry < 20*time.Second || why.Retry > 21*time.Second {
		t.Fatalf("with a debt of 2000 bytes: %+v, want to wait for 20 s", why)
	}
	b.now = b.now.Add(why.Retry)
	if _, why = b.take(); why != nil {
		t.Errorf("after the debt is paid: %+v", why)
	}
}

func TestPricesAreOfTheMostSpecificPattern(t *testing.T) {
	l := durward.Limits{
		Rules:  []durward.Limit{{Name: "b", Unit: durward.UnitCost, Most: 20, Calendar: "day"}},
		Prices: []durward.Price{{Tool: "*", Units: 2}, {Tool: "crm__export_*", Units: 25}, {Tool: "crm__*", Units: 7}, {Tool: "crm__ping", Units: 0}},
	}
	p, agents := compile(t, l)
	for name, want := range map[string]int64{"crm__add": 7, "files__get": 2, "crm__export_all": 25, "crm__ping": 0} {
		if got := p.Cost(&durward.Operation{PolicyName: name}); got != want {
			t.Errorf("%s costs %d, want %d", name, got, want)
		}
	}
	desk := limit.NewDesk(limit.NewMemory(limit.Options{}))
	_, why, err := desk.Take(t.Context(), p, limit.Subject{Agent: &agents[0], Op: &durward.Operation{Upstream: "crm", PolicyName: "crm__export_all"}}, start)
	if err != nil || why == nil || why.Retry != 0 || why.Asked != 25 {
		t.Errorf("what costs more than there ever is: %+v, %v; want a refusal without a time", why, err)
	}
	free, why, err := desk.Take(t.Context(), p, limit.Subject{Agent: &agents[0], Op: &durward.Operation{Upstream: "crm", PolicyName: "crm__ping"}}, start)
	if free != nil || why != nil || err != nil {
		t.Errorf("what is free is booked: %+v %+v %v", free, why, err)
	}
}

// TestNeverAboveTheLimit: whatever comes at the same time, in no stretch of
// time are more calls let through than the limit and its burst say.
func TestNeverAboveTheLimit(t *testing.T) {
	const callers, seconds = 8, 40
	rules := []durward.Limit{
		{Name: "all", Unit: durward.UnitCalls, Most: 50, Every: time.Second, Burst: 20},
		{Name: "each", Unit: durward.UnitCalls, Most: 12, Every: time.Second, Burst: 4, Per: []durward.Dimension{durward.PerAgent}},
		{Name: "day", Unit: durward.UnitCalls, Most: 1500, Calendar: "day"},
		{Name: "cost", Unit: durward.UnitCost, Most: 40, Every: time.Second, Burst: 40, Per: []durward.Dimension{durward.PerRole}, Roles: []string{"crm"}},
		{Name: "at once", Unit: durward.UnitConcurrency, Most: 6},
	}
	var agents []durward.Agent
	for i := range callers {
		agents = append(agents, durward.Agent{Name: fmt.Sprintf("a%d", i), Roles: []string{"crm"}})
	}
	p, agents := compile(t, durward.Limits{Rules: rules}, agents...)
	desk := limit.NewDesk(limit.NewMemory(limit.Options{}))
	var (
		mu     sync.Mutex
		passed = map[int64]int{} // by tenth of a second
		total  int
		under  int
		most   int
	)
	for tick := range int64(seconds * 10) {
		now := start.Add(time.Duration(tick) * 100 * time.Millisecond)
		var group sync.WaitGroup
		for i := range agents {
			group.Go(func() {
				r := rand.New(rand.NewPCG(uint64(tick), uint64(i)))
				for range r.IntN(5) {
					b, _, err := desk.Take(context.Background(), p, limit.Subject{Agent: &agents[i], Op: tool, Bytes: 1}, now)
					if err != nil {
						t.Error(err)
						return
					}
					if b == nil {
						continue
					}
					made := r.IntN(4) > 0
					mu.Lock()
					under++
					most = max(most, under)
					mu.Unlock()
					mu.Lock()
					if made {
						passed[tick]++
						total++
					}
					under--
					mu.Unlock()
					if err := desk.Close(context.Background(), b, now, made, 10); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
	for from := range int64(seconds * 10) {
		n := 0
		for to := from; to < seconds*10; to++ {
			n += passed[to]
			if span := float64(to-from) / 10; float64(n) > min(40*span+40, 50*span+20) {
				t.Fatalf("%d calls passed in %.1f s, more than rate and burst allow", n, span)
			}
		}
	}
	if total > 1500 || most > 6 {
		t.Errorf("%d calls passed of 1500 a day, %d at once of 6", total, most)
	}
	if total < 500 {
		t.Errorf("only %d calls passed: nothing was tested", total)
	}
}

// saver is a disk.
type saver struct {
	values map[string][]byte
	sick   error
}

func (s *saver) Counters(context.Context) (map[string][]byte, error) {
	out := map[string][]byte{}
	for k, v := range s.values {
		out[k] = v
	}
	return out, nil
}

func (s *saver) SaveCounters(_ context.Context, values map[string][]byte) error {
	if s.sick != nil {
		return s.sick
	}
	for k, v := range values {
		if v == nil {
			delete(s.values, k)
			continue
		}
		s.values[k] = v
	}
	return nil
}

func TestQuotasOutliveTheProcess(t *testing.T) {
	disk := &saver{values: map[string][]byte{}}
	rules := []durward.Limit{
		{Name: "q", Unit: durward.UnitCalls, Most: 5, Calendar: "day", Per: []durward.Dimension{durward.PerAgent}},
		{Name: "r", Unit: durward.UnitCalls, Most: 100, Every: time.Second},
	}
	p, agents := compile(t, durward.Limits{Rules: rules})
	first := limit.NewMemory(limit.Options{})
	b := &books{t: t, desk: limit.NewDesk(first), p: p, by: &agents[0], now: start}
	b.spend(3)
	disk.sick = errors.New("full")
	if err := first.Save(t.Context(), disk, b.now); err == nil {
		t.Fatal("Save on a full disk tells nothing")
	}
	disk.sick = nil
	if err := first.Save(t.Context(), disk, b.now); err != nil || len(disk.values) != 1 {
		t.Fatalf("Save = %v, %d values; want the quota and not the rate", err, len(disk.values))
	}
	second := limit.NewMemory(limit.Options{})
	if err := second.Restore(t.Context(), disk, b.now); err != nil {
		t.Fatal(err)
	}
	second.Adopt(p)
	if all := second.All(b.now); len(all) != 1 || all[0].Left != 2 || all[0].Of[durward.PerAgent] != "bot" {
		t.Errorf("after a restart: %+v", all)
	}
	b.desk = limit.NewDesk(second)
	if n, _ := b.spend(10); n != 2 {
		t.Errorf("after a restart %d calls, want 2", n)
	}
	b.now = b.now.Add(24 * time.Hour) // what is over is forgotten on disk, too
	third := limit.NewMemory(limit.Options{})
	if err := third.Restore(t.Context(), disk, b.now.Add(40*24*time.Hour)); err != nil || len(disk.values) != 0 {
		t.Errorf("after 40 days: %v, %d values", err, len(disk.values))
	}
}

func TestCountersAreBounded(t *testing.T) {
	m := limit.NewMemory(limit.Options{Most: 320})
	var agents []durward.Agent
	for i := range 2000 {
		agents = append(agents, durward.Agent{Name: fmt.Sprintf("a%d", i)})
	}
	p, agents := compile(t, durward.Limits{Rules: []durward.Limit{{Name: "r", Unit: durward.UnitCalls, Most: 10, Every: time.Second, Per: []durward.Dimension{durward.PerAgent}}}}, agents...)
	desk := limit.NewDesk(m)
	full := 0
	for i := range agents {
		b, why, err := desk.Take(t.Context(), p, limit.Subject{Agent: &agents[i], Op: tool}, start)
		if err != nil {
			t.Fatal(err)
		}
		if why != nil && !why.NoRoom {
			t.Fatalf("refused: %+v", why)
		}
		if why != nil {
			full++
			continue
		}
		_ = desk.Close(t.Context(), b, start, true, 0)
	}
	if full < 1000 || len(m.All(start)) > 320 {
		t.Errorf("%d refused, %d counters; want at most 320 counters", full, len(m.All(start)))
	}
	for i := range 40 { // those that are full again make room
		if _, why, _ := desk.Take(t.Context(), p, limit.Subject{Agent: &agents[1999-i], Op: tool}, start.Add(time.Minute)); why != nil {
			t.Fatalf("later: %+v", why)
		}
	}
}

func TestResetAndAnotherAmount(t *testing.T) {
	b := open(t, durward.Limit{Name: "q", Unit: durward.UnitCalls, Most: 3, Calendar: "day", Per: []durward.Dimension{durward.PerAgent}})
	m := limit.NewMemory(limit.Options{})
	b.desk = limit.NewDesk(m)
	b.spend(5)
	if n := m.Reset("q", "somebody"); n != 0 {
		t.Errorf("reset of somebody else's: %d", n)
	}
	if n := m.Reset("q", "bot"); n != 1 {
		t.Errorf("reset: %d", n)
	}
	if n, _ := b.spend(5); n != 3 {
		t.Errorf("after a reset %d calls", n)
	}
	next, agents := compile(t, durward.Limits{Rules: []durward.Limit{{Name: "q", Unit: durward.UnitCalls, Most: 5, Calendar: "day", Per: []durward.Dimension{durward.PerAgent}}}})
	m.Adopt(next)
	b.p, b.by = next, &agents[0]
	if n, _ := b.spend(9); n != 2 {
		t.Errorf("with 5 a day in place of 3, %d more calls, want 2", n)
	}
	m.Adopt(nil)
}

func TestCompileRefuses(t *testing.T) {
	for name, l := range map[string]durward.Limit{
		"nothing":     {Name: "x", Unit: durward.UnitCalls, Every: time.Second},
		"no window":   {Name: "x", Unit: durward.UnitCalls, Most: 1},
		"no name":     {Unit: durward.UnitCalls, Most: 1, Every: time.Second},
		"a week":      {Name: "x", Unit: durward.UnitCalls, Most: 1, Calendar: "week"},
		"five things": {Name: "x", Unit: durward.UnitCalls, Most: 1, Every: time.Second, Per: make([]durward.Dimension, 5)},
	} {
		if _, err := limit.Compile(durward.Limits{Rules: []durward.Limit{l}}, nil, match); err == nil {
			t.Errorf("%s: compiles", name)
		}
	}
	two := durward.Limit{Name: "x", Unit: durward.UnitCalls, Most: 1, Every: time.Second}
	if _, err := limit.Compile(durward.Limits{Rules: []durward.Limit{two, two}}, nil, match); err == nil {
		t.Error("the same limit twice compiles")
	}
	if _, err := limit.Compile(durward.Limits{Zone: "Mars/Olympus", Rules: []durward.Limit{two}}, nil, match); err == nil {
		t.Error("a zone that is not there compiles")
	}
}

func BenchmarkTake(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("limits=%d", n), func(b *testing.B) {
			rules := []durward.Limit{
				{Name: "rate", Unit: durward.UnitCalls, Most: 1_000_000_000, Every: time.Second, Per: []durward.Dimension{durward.PerAgent, durward.PerTool}},
				{Name: "quota", Unit: durward.UnitCalls, Most: 1 << 50, Calendar: "month", Per: []durward.Dimension{durward.PerAgent}},
				{Name: "at once", Unit: durward.UnitConcurrency, Most: 100, Per: []durward.Dimension{durward.PerUpstream}},
			}[:n]
			p, agents := compile(b, durward.Limits{Rules: rules})
			desk := limit.NewDesk(limit.NewMemory(limit.Options{}))
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				booking, refused, err := desk.Take(b.Context(), p, limit.Subject{Agent: &agents[0], Key: "k", Op: tool, Bytes: 100}, now)
				if err != nil || refused != nil {
					b.Fatal(refused, err)
				}
				_ = desk.Close(b.Context(), booking, now, true, 100)
			}
		})
	}
}
