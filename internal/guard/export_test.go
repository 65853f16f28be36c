package guard

// Quick tells whether a schema is simple, whether the quick check takes the
// arguments, and what the full validator says of them.
func Quick(rawSchema, arguments []byte) (simple, accepts bool, full error) {
	var s schema
	if s.compile(rawSchema); s.err != nil || s.quick == nil {
		return false, false, s.err
	}
	return true, s.quick.accepts(arguments), s.validate(decode(arguments), len(arguments))
}
