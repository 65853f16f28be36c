package dlp

import "bytes"

// assignment matches keyword, separator and a value that looks generated. An
// unquoted keyword is replaced together with its value; a JSON key stays, so
// that the object stays one.
func assignment(keyword int) func([]byte, int) (Find, bool) {
	return func(b []byte, i int) (Find, bool) {
		at := i + keyword
		for at < len(b) && at-i < keyword+behind(b[i:i+keyword]) && (alnum(b[at]) || b[at] == '_' || b[at] == '-') { // token_prod
			at++
		}
		f, ok := valued(b, i, at, keyword)
		if ok && leadsOn(wholeName(b, wordStart(b, i), at)) {
			return Find{}, false
		}
		return f, ok
	}
}

// valued matches what follows a name that ends at at.
func valued(b []byte, i, at, keyword int) (Find, bool) {
	quotedKey := at < len(b) && (b[at] == '"' || b[at] == '\'')
	sep := skip(b, at, `"'\ `+"`")
	if sep >= len(b) || b[sep] != ':' && b[sep] != '=' {
		if headed(b, i, at) {
			return Find{Start: i, End: at, Value: i, column: true}, true
		}
		if f, ok := marked(b, i, at); ok {
			return f, true
		}
		return told(b, i, at)
	}
	sep++
	if sep < len(b) && (b[sep] == '=' || b[sep] == '>') { // == compares, => assigns
		if b[sep] == '=' {
			return Find{}, false
		}
		sep++
	}
	start := folded(b, skip(b, sep, " \t\\"))
	if start >= len(b) {
		return Find{}, false
	}
	quote := byte(0)
	if c := b[start]; c == '"' || c == '\'' || c == '`' {
		quote, start = c, start+1
	}
	end := valueEnd(b, start, quote)
	if bytes.EqualFold(b[start:end], b[wordStart(b, i):min(len(b), wordStart(b, i)+end-start)]) || !believable(b[start:end], quote != 0) && !(uuidLike(b[start:end]) && isKey(b, i, keyword)) {
		return Find{}, false
	}
	f := Find{Start: start, End: end, Value: start, Until: end, Sure: end-start == 40 && (containsFold(b[i:at], "secret_access_key") || containsFold(b[i:at], "secretaccesskey"))}
	if !quotedKey && !parameter(b, wordStart(b, i)) {
		f.Start = wordStart(b, i)
		if quote != 0 && end < len(b) && b[end] == quote {
			f.End++
		}
	}
	return f, true
}

// nameBefore is the name of the value that begins at i, if it has one.
func nameBefore(b []byte, i int) []byte {
	end := i
	for end > 0 && i-end < 5 && bytes.IndexByte([]byte("\"'\\ :="), b[end-1]) >= 0 {
		end--
	}
	if end == i {
		return nil
	}
	return b[wordStart(b, end):end]
}

// behind is how much of a name may follow a keyword: token_prod,
// secretAccessKey. Those of tokens are names of other things too.
func behind(keyword []byte) int {
	if keyword[0]|0x20 == 't' {
		return 6
	}
	return 12
}

// isKey reports names whose values are keys even where they look like the
// names of things: api_key, SNYK_TOKEN.
func isKey(b []byte, i, keyword int) bool {
	k := b[i : i+keyword]
	if containsFold(k, "key") || containsFold(k, "secret") || containsFold(k, "passw") || containsFold(k, "auth") {
		return true
	}
	name := b[wordStart(b, i):i]
	return containsFold(k, "token") && len(name) > 0 && (isUpper(k[0]) && isUpper(name[0]) || containsFold(name, "auth") || containsFold(name, "api") || containsFold(name, "access") || containsFold(name, "server"))
}

// told matches what a sentence says: the password is ..., the API key ...
func told(b []byte, i, at int) (Find, bool) {
	start := skip(b, at, " ")
	if start == at || start-at > 1 {
		return Find{}, false
	}
	least := 20 // of a value that follows at once
	if at := verbAt(b, start); at > start {
		start, least = at, 8
	}
	start = skip(b, start, "\"'`*")
	end := start
	for end < len(b) && end-start < 256 && b[end] > ' ' && bytes.IndexByte([]byte("\"'`,;)<>"), b[end]) < 0 {
		end++
	}
	for end > start && (b[end-1] == '.' || b[end-1] == '*' || b[end-1] == '?') {
		end--
	}
	v := b[start:end]
	if len(v) < least || !bytes.ContainsAny(v, "0123456789") || !believable(v, false) || uuidLike(v) {
		return Find{}, false
	}
	return Find{Start: start, End: end, Value: start}, true
}

// parameter reports a name in the query of an address, which stays.
func parameter(b []byte, i int) bool { return i > 0 && (b[i-1] == '?' || b[i-1] == '&') }

// wordStart goes back to the start of the name that a keyword ends.
func wordStart(b []byte, i int) int {
	for i > 0 && (alnum(b[i-1]) || b[i-1] == '_' || b[i-1] == '-') {
		i--
	}
	return i
}

func valueEnd(b []byte, start int, quote byte) int {
	end := start
	for end < len(b) && end-start < 512 {
		c := b[end]
		if quote != 0 && c == quote || c == '\n' || c == '\r' {
			break
		}
		if quote == 0 && closes[c] {
			break
		}
		if c == '\\' && end+1 < len(b) && (b[end+1] == 'n' || b[end+1] == '"' || b[end+1] == 'r') {
			break
		}
		end++
	}
	return end
}

// closes are the bytes that end a value without quotes.
var closes = func() (t [256]bool) {
	for c := range ' ' + 1 {
		t[c] = true
	}
	for _, c := range "&\"';,)}]<>" {
		t[c] = true
	}
	return t
}()

// believable accepts values of eight characters or more that were generated,
// not written: code, templates, words and placeholders are none.
func believable(v []byte, quoted bool) bool {
	v = withoutIssued(v)
	if len(v) < 8 || len(v) > 400 || harmless(v) || !varied(v) {
		return false
	}
	for _, c := range v {
		if c >= 0x80 {
			return false
		}
	}
	if v[0] == '\\' || digit(v[0]) && v[1] == '*' || joinedWords(v) {
		return false
	}
	switch v[0] {
	case '$', '<', '{', '%', '(', '[', '/', '.', '&', '*', '@':
		if v[0] != '$' && v[0] != '%' && v[0] != '*' && v[0] != '&' || len(v) > 1 && (v[1] == '{' || v[1] == '(') {
			return false
		}
	}
	if bytes.ContainsAny(v, " ") && !quoted || bytes.Count(v, []byte(" ")) > 0 || bytes.ContainsAny(v, "(){}<>[]") && !quoted {
		return false
	}
	if bytes.Contains(v, []byte("${")) || bytes.Contains(v, []byte("{{")) || bytes.Contains(v, []byte("://")) {
		return false
	}
	if path(v) || dotted(v) {
		return false
	}
	return strong(v)
}

// joinedWords reports four words or more with marks between them, and at most
// a number: my-key-of-32-bytes.
func joinedWords(v []byte) bool {
	words, numbers := 0, 0
	for _, w := range bytes.FieldsFunc(v, func(r rune) bool { return r == '-' || r == '_' || r == '*' || r == '/' }) {
		switch kind := kindOf[w[0]]; {
		case uniform(w, kindLower):
			words++
		case kind == kindDigit && uniform(w, kindDigit) && len(w) < 4:
			numbers++
		default:
			return false
		}
	}
	return words >= 4 && numbers <= 1
}

func uniform(w []byte, kind uint8) bool {
	for _, c := range w {
		if kindOf[c] != kind {
			return false
		}
	}
	return true
}

// strong wants the mixture of a generated value.
func strong(v []byte) bool {
	var lower, upper, digits, other int
	for _, c := range v {
		switch {
		case 'a' <= c && c <= 'z':
			lower++
		case 'A' <= c && c <= 'Z':
			upper++
		case '0' <= c && c <= '9':
			digits++
		case c == '_' || c == '-' || c == '.':
		default:
			other++
		}
	}
	kinds := 0
	for _, n := range []int{lower, upper, digits, other} {
		if n > 0 {
			kinds++
		}
	}
	if digits == 0 && other == 0 {
		return kinds >= 2 && upper >= 3 && lower >= 3 && len(v) >= 14 && !bytes.ContainsAny(v, "-_. ") && !camel(v) && entropy(v) > 3.2
	}
	return kinds >= 2 && (digits >= 2 || other >= 1 && kinds >= 3 || digits >= 1 && kinds >= 3) && entropy(v) > 2.7 && !uuidLike(v)
}

// camel reports namesWrittenLikeThis: few changes between cases.
func camel(v []byte) bool {
	changes := 0
	for i := 1; i < len(v); i++ {
		if isUpper(v[i]) != isUpper(v[i-1]) {
			changes++
		}
	}
	return changes*3 < len(v) || capitalised(v)
}

// capitalised reports words of three letters and more, each with a capital.
func capitalised(v []byte) bool {
	n := 3
	for _, c := range v {
		switch kindOf[c] {
		case kindLower:
			n++
		case kindUpper:
			if n < 3 {
				return false
			}
			n = 1
		default:
			return false
		}
	}
	return n >= 3
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func uuidLike(v []byte) bool {
	return len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
}

func path(v []byte) bool {
	return bytes.Count(v, []byte("/")) >= 2 && !varied20(v)
}

func varied20(v []byte) bool { return len(v) >= 30 && entropy(v) > 4.3 }

// dotted reports member access in code: a.b.c.
func dotted(v []byte) bool {
	dots := bytes.Count(v, []byte("."))
	if dots == 0 {
		return false
	}
	digits := 0
	for _, c := range v {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	return digits*8 < len(v)
}

// userinfo matches scheme://user:password@host and replaces all of it.
func userinfo(scheme int) func([]byte, int) (Find, bool) {
	return func(b []byte, i int) (Find, bool) {
		end := i + scheme
		at, colon := -1, -1
		for end < len(b) && end-i < 1024 && b[end] > ' ' && bytes.IndexByte([]byte("\"'`<>\\"), b[end]) < 0 {
			switch b[end] {
			case '@':
				at = end
			case ':':
				if colon < 0 && at < 0 {
					colon = end
				}
			case '/', '?', '#':
				if at < 0 {
					return Find{}, false
				}
			}
			end++
		}
		if at < 0 || colon < 0 || colon > at || at-colon < 5 {
			return Find{}, false
		}
		pass := withoutIssued(b[colon+1 : at])
		if harmless(pass) || bytes.IndexByte([]byte("$<{[%*"), pass[0]) >= 0 && len(pass) > 1 && (pass[1] == '{' || pass[0] == '{' || pass[0] == '<' || pass[0] == '*') || common(pass) {
			return Find{}, false
		}
		return Find{Start: i, End: end, Value: i, Sure: true}, true
	}
}

// common are the passwords of examples.
func common(v []byte) bool {
	switch string(bytes.ToLower(v)) {
	case "password", "pass", "passwd", "secret", "postgres", "root", "admin", "user", "pwd", "changeit", "guest", "test":
		return true
	}
	return false
}
