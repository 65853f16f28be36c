package guard

import "strings"

// place tells where in the message a finding lies: the engine's place is in
// the text, "bytes 10-20".
func (r *reading) place(where string, parts []piece) string {
	at := parts[0]
	if n, _, ok := bytesOf(where); ok {
		for _, p := range parts {
			if n < p.end {
				at = p
				break
			}
		}
	}
	return r.pointer(at.span.Start)
}

// pointer is the JSON Pointer of what begins at an offset of the message.
func (r *reading) pointer(at int) string {
	var b strings.Builder
	for from := 0; ; {
		name, next := locate(r.raw, from, at)
		if next < 0 {
			return cutPointer(b.String())
		}
		b.WriteByte('/')
		b.WriteString(escapePointer(name))
		from = next
	}
}

func cutPointer(p string) string {
	const most = 200
	if len(p) > most {
		return strings.ToValidUTF8(p[:most], "") + "…"
	}
	return p
}
