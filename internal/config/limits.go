package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"durward"
)

// bounds are what can be limited, of whatever they stand under.
type bounds struct {
	Rate        rate   `key:"rate" doc:"Calls in a time, such as 60/m, 10/s or 5/30s; they come back evenly."`
	Burst       count  `key:"burst" doc:"How many calls of the rate may come at once; as many as come in its time when absent."`
	Quota       quota  `key:"quota" doc:"Calls in a day or month, such as 1000/day."`
	Concurrency count  `key:"concurrency" doc:"Calls at a time."`
	Bytes       volume `key:"bytes" doc:"Bytes of requests and replies in a time, such as 10MiB/h or 1GiB/month."`
	Budget      budget `key:"budget" doc:"Cost in a time, such as 500/day; limits.prices says what tools cost."`
}

// upstreamBounds are the bounds of an upstream.
type upstreamBounds struct {
	bounds
	Share count `key:"share" doc:"How many of the calls at a time one agent may have; half of them when absent."`
}

// limitRule is an entry of limits.rules.
type limitRule struct {
	bounds
	Name      text        `key:"name" doc:"What callers and records call it; it keeps what was counted as long as it has this name."`
	Per       []dimension `key:"per" doc:"What is counted apart: key, agent, user, role, upstream, tool; nothing counts all calls together."`
	Agents    []name      `key:"agents" doc:"The agents whose calls it speaks of; all when absent."`
	Roles     []name      `key:"roles" doc:"The roles whose agents it speaks of."`
	Upstreams []text      `key:"upstreams" doc:"The upstreams it speaks of."`
	Tools     []pattern   `key:"tools" doc:"Patterns of what it speaks of, as in a role."`
}

// The kinds of values of limits.
type (
	// amount is so much in a time.
	amount struct {
		n        int64
		every    time.Duration
		calendar string
		text     string
	}
	rate      amount
	quota     amount
	volume    amount
	budget    amount
	dimension string
	cost      string // of a tool
	zone      string
)

const (
	dimensions  = "key|agent|user|role|upstream|tool"
	amountShape = `^[0-9]{1,12}/([0-9]{0,6}(s|m|h)|day|month)$`
	volumeShape = `^[0-9]{1,12}(B|KiB|MiB|GiB|kB|KB|MB|GB)?/([0-9]{0,6}(s|m|h)|day|month)$`
)

var _ = []scalar{(*rate)(nil), (*quota)(nil), (*volume)(nil), (*budget)(nil), (*dimension)(nil), (*cost)(nil), (*zone)(nil)}

func (v *rate) accepts() []string { return []string{"!!str"} }
func (v *rate) describe() object {
	return object{"type": "string", "pattern": `^[0-9]{1,12}/[0-9]{0,6}(s|m|h)$`}
}

func (v *rate) parse(s string) *refusal {
	a, bad := parseAmount(s, false, "60/m")
	if bad != nil {
		return bad
	}
	if a.calendar != "" {
		return &refusal{text: "is not a rate", hint: "quota counts by day and month"}
	}
	*v = rate(a)
	return nil
}

func (v *quota) accepts() []string { return []string{"!!str"} }
func (v *quota) describe() object {
	return object{"type": "string", "pattern": `^[0-9]{1,12}/(day|month)$`}
}

func (v *quota) parse(s string) *refusal {
	a, bad := parseAmount(s, false, "1000/day")
	if bad != nil {
		return bad
	}
	if a.calendar == "" {
		return &refusal{text: "is not a quota by day or month", hint: "write it as 1000/day, or use rate"}
	}
	*v = quota(a)
	return nil
}

func (v *volume) accepts() []string { return []string{"!!str"} }
func (v *volume) describe() object  { return object{"type": "string", "pattern": volumeShape} }
func (v *volume) parse(s string) *refusal {
	a, bad := parseAmount(s, true, "10MiB/h")
	*v = volume(a)
	return bad
}

func (v *budget) accepts() []string { return []string{"!!str"} }
func (v *budget) describe() object  { return object{"type": "string", "pattern": amountShape} }
func (v *budget) parse(s string) *refusal {
	a, bad := parseAmount(s, false, "500/day")
	*v = budget(a)
	return bad
}

var amountParts = regexp.MustCompile(`^([0-9]{1,12}[A-Za-z]{0,3})/([0-9]{0,6})(s|m|h|day|month)$`)

// parseAmount reads N/WINDOW.
func parseAmount(s string, bytes bool, example string) (amount, *refusal) {
	no := &refusal{text: "is not an amount in a time", hint: "write it as " + example}
	m := amountParts.FindStringSubmatch(s)
	if m == nil {
		return amount{}, no
	}
	var n size
	if bytes {
		if bad := n.parse(m[1]); bad != nil {
			return amount{}, no
		}
	} else if v, err := strconv.ParseInt(m[1], 10, 64); err != nil || v < 1 {
		return amount{}, no
	} else {
		n = size(v)
	}
	a := amount{n: int64(n), text: s}
	if m[3] == durward.PerDay || m[3] == durward.PerMonth {
		if m[2] != "" {
			return amount{}, &refusal{text: "counts by more than one day or month", hint: "write it as " + example}
		}
		a.calendar = m[3]
		return a, nil
	}
	times := int64(1)
	if m[2] != "" {
		times, _ = strconv.ParseInt(m[2], 10, 64) // six digits
	}
	a.every = time.Duration(times) * map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[3]]
	if a.every <= 0 || a.every > maxDuration {
		return amount{}, &refusal{text: "has a time that is not between 1s and a year"}
	}
	return a, nil
}

func (v *dimension) accepts() []string { return []string{"!!str"} }
func (v *dimension) describe() object  { return withWords(object{}, dimensions) }
func (v *dimension) parse(s string) *refusal {
	*v = dimension(s)
	return check((*word)(v), s, dimensions)
}

func (v *cost) accepts() []string { return []string{"!!int"} }
func (v *cost) describe() object {
	return object{"type": "integer", "minimum": 0, "maximum": 1_000_000}
}

func (v *cost) parse(s string) *refusal {
	if n, err := strconv.ParseUint(s, 10, 32); err != nil || n > 1_000_000 {
		return &refusal{text: "is not a number between 0 and 1000000"}
	}
	*v = cost(s)
	return nil
}

func (v *zone) accepts() []string { return []string{"!!str"} }
func (v *zone) describe() object {
	return object{"type": "string", "pattern": `^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`}
}

func (v *zone) parse(s string) *refusal {
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		return &refusal{text: "is not a time zone", hint: "write it as Europe/London"}
	}
	*v = zone(s)
	return nil
}

// limits gathers what the file says of limits, in all places.
func (b *builder) limits() {
	l := &b.out.Usage
	l.Zone = string(b.in.Limits.Zone)
	for _, n := range slices.Sorted(maps.Keys(b.in.Limits.Prices)) {
		units, _ := strconv.ParseInt(string(b.in.Limits.Prices[n]), 10, 64) // it was read as a number
		at := join("limits.prices", n)
		if err := durward.CheckPattern(n); err != nil {
			b.failAt(at, "is not a pattern: "+err.Error(), "write it as crm__export_*")
		}
		l.Prices = append(l.Prices, durward.Price{Tool: n, Units: units})
	}
	b.limitRules()
	for _, n := range slices.Sorted(maps.Keys(b.in.Agents)) {
		in := b.in.Agents[n].Limits
		b.limit(join(join("agents", n), "limits"), &in, durward.Limit{Name: "agent " + n, Agents: []string{n}, Per: []durward.Dimension{durward.PerAgent}})
	}
	for _, n := range slices.Sorted(maps.Keys(b.in.Roles)) {
		in := b.in.Roles[n].Limits
		b.limit(join(join("roles", n), "limits"), &in, durward.Limit{Name: "role " + n, Roles: []string{n}, Per: []durward.Dimension{durward.PerAgent}})
	}
}

// upstreamLimits takes the limits of an upstream, and the share of it that one
// agent may have.
func (b *builder) upstreamLimits(at, n string, in *upstreamBounds) {
	base := durward.Limit{Name: "upstream " + n, Upstreams: []string{n}, Per: []durward.Dimension{durward.PerUpstream}}
	b.limit(at+".limits", &in.bounds, base)
	if in.Concurrency == 0 {
		if in.Share != 0 {
			b.failAt(at+".limits.share", "is a share of nothing", "give concurrency too")
		}
		return
	}
	share := int64(in.Share)
	if share == 0 {
		share = max((int64(in.Concurrency)+1)/2, 1)
	}
	base.Name, base.Unit, base.Most = "share of upstream "+n, durward.UnitConcurrency, share
	base.Per = []durward.Dimension{durward.PerUpstream, durward.PerAgent}
	b.out.Usage.Rules = append(b.out.Usage.Rules, base)
}

func (b *builder) limitRules() {
	known := map[string]string{}
	for i := range b.in.Limits.Rules {
		in := &b.in.Limits.Rules[i]
		at := fmt.Sprintf("limits.rules[%d]", i)
		l := durward.Limit{Name: string(in.Name), Agents: texts(in.Agents), Roles: texts(in.Roles), Upstreams: texts(in.Upstreams), Tools: texts(in.Tools)}
		if l.Name == "" {
			l.Name = fmt.Sprintf("rule %d", i+1)
		}
		if other, twice := known[l.Name]; twice {
			b.failAt(at, fmt.Sprintf("has the same name as %s", other), "each counts under a name of its own")
		}
		known[l.Name] = at
		for _, d := range in.Per {
			if slices.Contains(l.Per, durward.Dimension(d)) {
				b.failAt(at+".per", "names "+string(d)+" twice", "")
			}
			l.Per = append(l.Per, durward.Dimension(d))
		}
		if len(l.Per) > 4 {
			b.failAt(at+".per", "counts apart by more than four things", "")
		}
		if !b.limit(at, &in.bounds, l) {
			b.failAt(at, "limits nothing", "give rate, quota, concurrency, bytes or budget")
		}
	}
}

// limit adds a limit for each bound that is set; false when none is.
func (b *builder) limit(at string, in *bounds, base durward.Limit) (any bool) {
	add := func(u durward.Unit, a amount, burst int64) {
		if a.n == 0 {
			return
		}
		l := base
		l.Unit, l.Most, l.Every, l.Calendar, l.Burst = u, a.n, a.every, a.calendar, burst
		b.out.Usage.Rules = append(b.out.Usage.Rules, l)
		any = true
	}
	add(durward.UnitCalls, amount(in.Rate), int64(in.Burst))
	add(durward.UnitCalls, amount(in.Quota), 0)
	add(durward.UnitConcurrency, amount{n: int64(in.Concurrency)}, 0)
	add(durward.UnitBytes, amount(in.Bytes), 0)
	add(durward.UnitCost, amount(in.Budget), 0)
	if in.Burst != 0 && in.Rate.n == 0 {
		b.failAt(at+".burst", "is the burst of no rate", "give rate too")
	}
	return any
}
