package dlp

import "bytes"

func digit(c byte) bool { return '0' <= c && c <= '9' }

// numeral reports digits as those of the numbers that are told by themselves:
// three of them or four with a mark behind, or from eight on.
func numeral(b []byte) bool {
	n := 0
	for n < len(b) && n < 8 && digit(b[n]) {
		n++
	}
	switch n {
	case 3:
		return n < len(b) && b[n] == '-' // see bareSSN
	case 4:
		return n < len(b) && (b[n] == '-' || b[n] == ' ') // see card
	}
	return n == 8
}

// telegram matches the bot token 123456789:AA....
func telegram(b []byte, i int) (Find, bool) {
	end := i
	for end < len(b) && digit(b[end]) {
		end++
	}
	if n := end - i; n < 8 || n > 10 || end >= len(b) || b[end] != ':' || i > 0 && digit(b[i-1]) {
		return Find{}, false
	}
	f, ok := run(b, end+1, 0, urlSafe, 32, 40)
	f.Start, f.Value = i, i
	return f, ok
}

// card matches 13 to 19 digits, also in groups of four, that pass Luhn and
// begin like a card.
func card(b []byte, i int) (Find, bool) {
	if i > 0 && (digit(b[i-1]) || b[i-1] == '.' || b[i-1] == '-' || b[i-1] == '_' || b[i-1] == '#' || alnum(b[i-1])) {
		return Find{}, false
	}
	var d [19]byte
	n, end, gap := 0, i, byte(0)
	for end < len(b) {
		c := b[end]
		if digit(c) {
			if n == len(d) {
				return Find{}, false
			}
			d[n] = c - '0'
			n++
			end++
			continue
		}
		if (c == ' ' || c == '-') && (gap == 0 || gap == c) && (n == 4 || gap != 0 && (n%4 == 0 || n == 10)) && end+1 < len(b) && digit(b[end+1]) {
			gap = c
			end++
			continue
		}
		break
	}
	if n < 13 || end < len(b) && (alnum(b[end]) || b[end] == '.' && end+1 < len(b) && digit(b[end+1]) || b[end] == '-' || b[end] == '_') {
		return Find{}, false
	}
	if !issuer(d[:n]) || !luhn(d[:n]) || testCard(d[:n]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

func issuer(d []byte) bool {
	two := int(d[0])*10 + int(d[1])
	switch {
	case d[0] == 4:
		return len(d) == 13 || len(d) == 16 || len(d) == 19
	case two >= 51 && two <= 55, two >= 22 && two <= 27:
		return len(d) == 16
	case two == 34 || two == 37:
		return len(d) == 15
	case two == 60 || two == 62 || two == 64 || two == 65 || two == 81:
		return len(d) >= 16
	case two == 35:
		return len(d) >= 16
	case two == 30 || two == 36 || two == 38 || two == 39:
		return len(d) == 14
	case two == 50 || two >= 56 && two <= 58 || two == 63 || two == 67:
		return len(d) >= 13
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// testCard are the numbers that payment providers print for tests.
func testCard(d []byte) bool {
	s := make([]byte, len(d))
	for i, v := range d {
		s[i] = v + '0'
	}
	if len(s) == 16 && string(s[4:8]) == string(s[8:12]) && string(s[8:12]) == string(s[12:]) {
		return true
	}
	switch string(s) {
	case "4242424242424242", "4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "4000056655665556", "5105105105105100", "371449635398431", "4012888888881881", "4000000000000002":
		return true
	}
	return false
}

// labelledSSN matches a social security number behind its label.
func labelledSSN(b []byte, i int) (Find, bool) {
	at := label(b, i, 24)
	if at < 0 || !ssn(b, at) {
		return Find{}, false
	}
	return Find{Start: unlessQuoted(b, i, at), End: at + 11, Value: at, Sure: true}, true
}

func ssn(b []byte, i int) bool {
	if len(b)-i < 11 || len(b)-i > 11 && alnum(b[i+11]) {
		return false
	}
	for k := range 11 {
		c := b[i+k]
		if k == 3 || k == 6 {
			if c != '-' && c != ' ' {
				return false
			}
		} else if !digit(c) {
			return false
		}
	}
	return string(b[i:i+3]) != "000" && string(b[i:i+3]) != "666"
}

// label passes over the words of a label and its separator and returns where
// the value starts; -1 when it is too far.
func label(b []byte, i, most int) int {
	at := i
	for at < len(b) && at-i < most && b[at] != ':' && b[at] != '=' && b[at] != '\n' && !digit(b[at]) && b[at] != '+' && b[at] != '(' {
		at++
	}
	if at-i >= most {
		return -1
	}
	return skip(b, at, `:= "'#`+"\t\\")
}

// unlessQuoted replaces the label too, unless it is a JSON key.
func unlessQuoted(b []byte, i, at int) int {
	if i > 0 && (b[i-1] == '"' || b[i-1] == '\'') {
		return at
	}
	return i
}

func passport(b []byte, i int) (Find, bool) {
	at := i + len("passport")
	for at < len(b) && at-i < 28 && b[at] != ':' && b[at] != '=' && b[at] != '#' && b[at] != '\n' {
		if b[at] == ' ' && at+2 < len(b) && (digit(b[at+1]) || isUpper(b[at+1]) && digit(b[at+2])) {
			break
		}
		at++
	}
	if at >= len(b) || b[at] == '\n' || at-i >= 28 {
		return Find{}, false
	}
	at = skip(b, at, ":=# \"'\t")
	end, digits := at, 0
	for end < len(b) && (isUpper(b[end]) || digit(b[end])) {
		if digit(b[end]) {
			digits++
		}
		end++
	}
	if n := end - at; n < 7 || n > 10 || digits < 6 || end < len(b) && alnum(b[end]) {
		return Find{}, false
	}
	return Find{Start: unlessQuoted(b, i, at), End: end, Value: at, Sure: true}, true
}

func labelledPhone(b []byte, i int) (Find, bool) {
	at := label(b, i, 20)
	if at < 0 || at >= len(b) {
		return Find{}, false
	}
	end, n := phoneEnd(b, at)
	if n < 9 || n > 15 || end < len(b) && (alnum(b[end]) || b[end] == '.') && end+1 < len(b) && digit(b[min(end+1, len(b)-1)]) {
		return Find{}, false
	}
	if b[at] != '+' && b[at] != '(' && !bytes.ContainsAny(b[at:end], "-() .") { // a bare number may be an id
		return Find{}, false
	}
	return Find{Start: unlessQuoted(b, i, at), End: end, Value: at}, true
}

func phone(b []byte, i int) (Find, bool) {
	if i+1 >= len(b) || !digit(b[i+1]) || i > 0 && (alnum(b[i-1]) || b[i-1] == ')') {
		return Find{}, false
	}
	end, n := phoneEnd(b, i)
	if n < 10 || n > 15 || end < len(b) && alnum(b[end]) {
		return Find{}, false
	}
	if !bytes.ContainsAny(b[i:end], "-() ") && n < 11 {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i}, true
}

// phoneEnd passes over digits in groups and counts them.
func phoneEnd(b []byte, i int) (end, n int) {
	end = i
	for k := i; k < len(b) && k-i < 26; k++ {
		c := b[k]
		if digit(c) {
			n++
			end = k + 1
			continue
		}
		if c != ' ' && c != '-' && c != '(' && c != ')' && c != '.' && c != '/' && !(c == '+' && k == i) {
			break
		}
		if k > i && !digit(b[k-1]) && b[k-1] != ')' && b[k-1] != ' ' && c != '(' {
			break
		}
	}
	return end, n
}

// iban matches an account number of two letters, two check digits and its
// country's length, modulo 97.
func iban(b []byte, i int) (Find, bool) {
	if len(b)-i < 15 || !isUpper(b[i]) || !isUpper(b[i+1]) || !digit(b[i+2]) || !digit(b[i+3]) {
		return Find{}, false
	}
	end, n, mod := i, 0, 0
	var head [4]byte
	for end < len(b) && n < 34 {
		c := b[end]
		if c == ' ' && n > 0 && n%4 == 0 && end+1 < len(b) && (digit(b[end+1]) || isUpper(b[end+1])) {
			end++
			continue
		}
		if !digit(c) && !isUpper(c) {
			break
		}
		if n < 4 {
			head[n] = c
		} else {
			mod = push(mod, c)
		}
		n++
		end++
	}
	for _, c := range head {
		mod = push(mod, c)
	}
	if n < 15 || mod != 1 || end < len(b) && alnum(b[end]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, true
}

func push(mod int, c byte) int {
	if digit(c) {
		return (mod*10 + int(c-'0')) % 97
	}
	return (mod*100 + int(c-'A') + 10) % 97
}

func labelledIBAN(b []byte, i int) (Find, bool) {
	at := skip(b, i+4, ": =\"'")
	f, ok := iban(b, at)
	if ok {
		f.Start = unlessQuoted(b, i, at)
	}
	return f, ok
}

func labelledTax(b []byte, i int) (Find, bool) {
	at := label(b, i, 20)
	if at < 0 {
		return Find{}, false
	}
	end, n := phoneEnd(b, at)
	if n < 8 || n > 14 {
		return Find{}, false
	}
	return Find{Start: unlessQuoted(b, i, at), End: end, Value: at}, true
}

// labelledID matches an official number or a date of birth behind its label in
// prose; records in JSON hold them by the dozen and are a matter of policy.
func labelledID(b []byte, i int) (Find, bool) {
	if i > 0 && (b[i-1] == '"' || b[i-1] == '\'' || b[i-1] == '_') {
		return Find{}, false
	}
	at := i
	for at < len(b) && at-i < 40 && b[at] != ':' && b[at] != '=' && b[at] != '#' && b[at] != '\n' && b[at] != '"' {
		at++
	}
	if at >= len(b) || at-i >= 40 || b[at] == '\n' || b[at] == '"' {
		return Find{}, false
	}
	at = skip(b, at, ":=# \t")
	end, digits := at, 0
	for end < len(b) && end-at < 20 && (isUpper(b[end]) || digit(b[end]) || (b[end] == '-' || b[end] == '/' || b[end] == '.' || b[end] == ' ') && end+1 < len(b) && (digit(b[end+1]) || isUpper(b[end+1]) && digits > 0)) {
		if digit(b[end]) {
			digits++
		}
		end++
	}
	if digits < 5 || end-at < 6 || end < len(b) && alnum(b[end]) {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: at}, true
}

const fewMails = 5

// mails matches a list of addresses: five or more beside each other are a
// leaked list, not a contact.
func mails(b []byte, i int) (Find, bool) {
	if i = mailStart(b, i); i < 0 {
		return Find{}, false
	}
	end, n := i, 0
	for at := i; at < len(b); {
		e := mailEnd(b, at)
		if e < 0 {
			break
		}
		n++
		end = e
		next := skip(b, e, ",; \n\t\"'[]")
		if next == e || next-e > 6 {
			break
		}
		at = next
	}
	if n < fewMails {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i}, true
}

// mailStart goes back from an @ to where its address starts.
func mailStart(b []byte, at int) int {
	i := at
	for i > 0 && at-i < 64 && (alnum(b[i-1]) || b[i-1] == '.' || b[i-1] == '_' || b[i-1] == '-' || b[i-1] == '+' || b[i-1] == '%') {
		i--
	}
	if i == at {
		return -1
	}
	return i
}

func mailEnd(b []byte, i int) int {
	at := i
	for at < len(b) && at-i < 64 && (alnum(b[at]) || b[at] == '.' || b[at] == '_' || b[at] == '-' || b[at] == '+' || b[at] == '%') {
		at++
	}
	if at == i || at >= len(b) || b[at] != '@' {
		return -1
	}
	end, dot := at+1, false
	for end < len(b) && (alnum(b[end]) || b[end] == '-' || b[end] == '.') {
		dot = dot || b[end] == '.'
		end++
	}
	for end > at && b[end-1] == '.' {
		end--
	}
	if !dot || end-at < 4 {
		return -1
	}
	return end
}

// discord matches id.time.mac, three parts of fixed length.
func discord(b []byte, i int) (Find, bool) {
	if len(b)-i < 58 || bytes.IndexByte(b[i+23:i+29], '.') < 0 {
		return Find{}, false
	}
	end := i
	var parts [4]int
	n := 0
	for end < len(b) && (urlSafe[b[end]] || b[end] == '.') {
		if end-i > 80 {
			return Find{}, false
		}
		if b[end] == '.' {
			if n++; n > 2 {
				return Find{}, false
			}
		} else {
			parts[n]++
		}
		end++
	}
	if n != 2 || parts[0] < 23 || parts[0] > 28 || parts[1] < 6 || parts[1] > 7 || parts[2] < 27 || parts[2] > 40 {
		return Find{}, false
	}
	return Find{Start: i, End: end, Value: i, Sure: true}, random(b[i:end])
}
