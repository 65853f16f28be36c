package edge

import (
	"strconv"
	"time"

	"durward"
	"durward/internal/httpwire"
)

// SetLimitHeaders tells what is left of limits, as RateLimit and
// RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), and when to try
// again.
func SetLimitHeaders(x *httpwire.Exchange, retry time.Duration, limits []durward.LimitState) {
	if after := inSeconds(retry); after != "" {
		x.Set("Retry-After", after)
	}
	if len(limits) == 0 {
		return
	}
	policy, left := make([]byte, 0, 96), make([]byte, 0, 96)
	for i, s := range limits {
		if i > 0 {
			policy, left = append(policy, ", "...), append(left, ", "...)
		}
		policy, left = appendText(policy, s.Name), appendText(left, s.Name)
		policy = strconv.AppendInt(append(policy, ";q="...), s.Most, 10)
		left = strconv.AppendInt(append(left, ";r="...), s.Left, 10)
		policy = append(policy, unitOf(s.Unit)...)
		if s.Window > 0 {
			policy = strconv.AppendInt(append(policy, ";w="...), max(int64(s.Window/time.Second), 1), 10)
			left = strconv.AppendInt(append(left, ";t="...), int64((s.Reset+time.Second-1)/time.Second), 10)
		}
	}
	x.Set("Ratelimit-Policy", string(policy))
	x.Set("Ratelimit", string(left))
}

// unitOf is the quota unit of the draft; costs have one of our own.
func unitOf(u durward.Unit) string {
	switch u {
	case durward.UnitBytes:
		return `;qu="content-bytes"`
	case durward.UnitConcurrency:
		return `;qu="concurrent-requests"`
	case durward.UnitCost:
		return `;qu="cost"`
	}
	return "" // requests
}

// appendText appends a string of structured fields (RFC 9651): printable ASCII.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		default:
			dst = append(dst, '?')
		}
	}
	return append(dst, '"')
}
