package guard

import "durward"

// Quick tells whether a schema is simple, whether the quick check takes the
// arguments, and what the full validator says of them.
func Quick(rawSchema, arguments []byte) (simple, accepts bool, full error) {
	var s schema
	if s.compile(rawSchema); s.err != nil || s.quick == nil {
		return false, false, s.err
	}
	return true, s.quick.accepts(arguments), s.validate(decode(arguments), len(arguments))
}

// Beside reads messages at the same time: all begin before the first is done,
// and they are done in their order.
func (l Listener) Beside(messages ...[]byte) []*Seen {
	all, out := make([]*reading, len(messages)), make([]*Seen, len(messages))
	for i, raw := range messages {
		all[i] = new(reading)
		all[i].begin(l.scope, raw, durward.Deny, "", l.trail)
	}
	for i, r := range all {
		r.inspect()
		r.land(l.trail)
		out[i] = r.result()
		r.end(l.trail)
	}
	return out
}

// TakeSlowPlaces leaves slow patterns nowhere to run until leave is called.
func TakeSlowPlaces() (leave func()) {
	for range cap(slowPlaces) {
		slowPlaces <- struct{}{}
	}
	return func() {
		for range cap(slowPlaces) {
			<-slowPlaces
		}
	}
}
