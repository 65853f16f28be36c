package args

import (
	"html"
	"net/url"
	"strconv"
	"strings"

	"durward/internal/guard/octet"
)

// spellings are the forms in which a value may reach its interpreter: as it
// is, and unescaped once or twice.
func spellings(v string) []string {
	out := []string{v}
	add := func(s string) {
		for _, o := range out {
			if o == s {
				return
			}
		}
		if len(out) < 6 {
			out = append(out, s)
		}
	}
	if strings.IndexByte(v, '%') >= 0 {
		once := percent(v)
		add(once)
		if strings.IndexByte(once, '%') >= 0 {
			add(percent(once))
		}
	}
	if strings.IndexByte(v, '&') >= 0 && strings.IndexByte(v, ';') >= 0 {
		add(html.UnescapeString(v))
	}
	if strings.Contains(v, `\x`) || strings.Contains(v, `\u`) {
		add(escapes(v))
	}
	for _, s := range out {
		if wide(s) {
			add(narrow(s))
		}
		if strings.IndexByte(s, '+') >= 0 && strings.IndexByte(s, ' ') < 0 && strings.Count(s, "+") >= 2 {
			add(strings.ReplaceAll(s, "+", " "))
		}
	}
	return out
}

// percent unescapes what it can, also %u and four digits.
func percent(s string) string {
	if u, err := url.QueryUnescape(s); err == nil && !strings.Contains(s, "%u") {
		return u
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+5 < len(s) && (s[i+1] == 'u' || s[i+1] == 'U') {
				if n, err := strconv.ParseUint(s[i+2:i+6], 16, 32); err == nil {
					b.WriteRune(rune(n))
					i += 5
					continue
				}
			}
			if i+2 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(n))
					i += 2
					continue
				}
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func escapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		if s[i] == '\\' && i+5 < len(s) && s[i+1] == 'u' {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 32); err == nil {
				b.WriteRune(rune(n))
				i += 5
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func wide(s string) bool {
	for _, r := range s[octet.ASCIIText(s):] {
		if r >= 0xff01 && r <= 0xff5e || r == 0x2215 || r == 0x2044 || r == 0x02bc || r == 0x2019 || r == 0x2018 {
			return true
		}
	}
	return false
}

// narrow maps full-width forms and look-alike marks to ASCII.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xff01 && r <= 0xff5e:
			return r - 0xfee0
		case r == 0x2215 || r == 0x2044:
			return '/'
		case r == 0x02bc || r == 0x2019 || r == 0x2018:
			return '\''
		}
		return r
	}, s)
}
