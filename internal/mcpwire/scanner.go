package mcpwire

import "fmt"

// scanner walks one value. Its methods take the index of what they read and
// return the index behind it, or -1 when reading cannot go on; why is in hard.
// A message that is well-formed but not acceptable is noted in err and read to
// its end, so that the answer can carry its id.
type scanner struct {
	data   []byte
	depth  int
	begin  int // of the message
	stop   int
	found  found
	twoIDs bool       // the envelope has id twice: none can be trusted
	err    *ScanError // first reason to refuse what is well-formed
	hard   *ScanError // why reading stopped
	near   [nearLevels]keySet
	far    []*keySet
}

func (s *scanner) space(i int) int { return skipSpace(s.data, i) }

// end checks that only white space follows the value.
func (s *scanner) end(i int) int {
	if i = s.space(i); i < len(s.data) {
		return s.syntax(i, "data after the message")
	}
	return i
}

// value scans any value at i inside depth open objects and arrays.
func (s *scanner) value(i, depth int, r role) int {
	if i >= len(s.data) {
		return s.syntax(i, "unexpected end")
	}
	switch c := s.data[i]; c {
	case '"':
		end, marks := s.str(i)
		if marks&hasLone != 0 && r < roleResult {
			s.report(i, CodeInvalidRequest, "a string has a lone surrogate escape")
		}
		return end
	case '{':
		return s.object(i, depth+1, r)
	case '[':
		return s.array(i, depth+1, r.child())
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		if c == '-' || (c >= '0' && c <= '9') {
			return s.number(i)
		}
		return s.syntax(i, "unexpected character")
	}
}

func (s *scanner) array(i, depth int, r role) int {
	if depth > s.depth {
		return s.tooDeep(i)
	}
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth, r); i < 0 {
			return i
		}
		if i = s.space(i); i >= len(s.data) {
			return s.syntax(i, "unexpected end")
		}
		if s.data[i] == ']' {
			return i + 1
		}
		if s.data[i] != ',' {
			return s.syntax(i, "expected , or ] in an array")
		}
		i = s.space(i + 1)
	}
}

func (s *scanner) object(i, depth int, r role) int {
	if depth > s.depth {
		return s.tooDeep(i)
	}
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == '}' {
		return i + 1
	}
	var set *keySet
	if r != roleLoose {
		set = s.keySet(depth)
	}
	for {
		if i >= len(s.data) || s.data[i] != '"' {
			return s.syntax(i, "expected a key")
		}
		open := i
		end, marks := s.str(i)
		if end < 0 {
			return end
		}
		if i = s.space(end); i >= len(s.data) || s.data[i] != ':' {
			return s.syntax(i, "expected : after a key")
		}
		i = s.space(i + 1)
		if i = s.member(open, end, i, depth, marks, r, set); i < 0 {
			return i
		}
		if i = s.space(i); i >= len(s.data) {
			return s.syntax(i, "unexpected end")
		}
		if s.data[i] == '}' {
			return i + 1
		}
		if s.data[i] != ',' {
			return s.syntax(i, "expected , or } in an object")
		}
		i = s.space(i + 1)
	}
}

// member judges the key that lies between the quotes at open and end-1, then
// scans its value at i.
func (s *scanner) member(open, end, i, depth int, marks marks, r role, set *keySet) int {
	if set == nil {
		return s.value(i, depth, roleLoose)
	}
	key := s.data[open+1 : end-1]
	if marks != 0 {
		if marks&hasLone != 0 && r < roleResult {
			s.report(open, CodeInvalidRequest, "a key has a lone surrogate escape")
		}
		key = appendText(nil, key)
	}
	if set.n == mostKeys {
		return s.refuse(open, CodeInvalidRequest, fmt.Sprintf("an object has more than %d keys", mostKeys))
	}
	if set.add(s.data, key, open+1) {
		s.report(open, CodeInvalidRequest, "duplicate key "+shown(key))
		s.twoIDs = s.twoIDs || r == roleEnvelope && string(key) == "id"
	}
	if r == roleStrict {
		return s.value(i, depth, roleStrict)
	}
	k, child := r.route(key)
	if k == slotNone && r.impostor(key) {
		s.report(open, CodeInvalidRequest, "key "+shown(key)+" differs from a known one only in case")
	}
	end = s.value(i, depth, child)
	if k != slotNone && end >= 0 && !s.found[k].Present() {
		s.found[k].Start, s.found[k].End = i, end
	}
	return end
}

func (s *scanner) literal(i int, word string) int {
	if len(s.data)-i < len(word) || string(s.data[i:i+len(word)]) != word {
		return s.syntax(i, "unexpected character")
	}
	return i + len(word)
}

func (s *scanner) number(i int) int {
	end := scanNumber(s.data, i)
	if end < 0 || (end < len(s.data) && inNumber(s.data[end])) {
		return s.syntax(i, "malformed number")
	}
	return end
}

// inNumber tells bytes that cannot follow a number: 01, 1.2.3, 0x1.
func inNumber(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '+' || c == '-'
}

// scanNumber returns the index behind the RFC 8259 number at i, or -1. What
// may follow a number is for the caller to check.
func scanNumber(data []byte, i int) int {
	if data[i] == '-' {
		i++
	}
	switch {
	case i >= len(data):
		return -1
	case data[i] == '0':
		i++
	case data[i] >= '1' && data[i] <= '9':
		i = digits(data, i)
	default:
		return -1
	}
	if i < len(data) && data[i] == '.' {
		from := i + 1
		if i = digits(data, from); i == from {
			return -1
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		from := i + 1
		if from < len(data) && (data[from] == '+' || data[from] == '-') {
			from++
		}
		if i = digits(data, from); i == from {
			return -1
		}
	}
	return i
}

func digits(data []byte, i int) int {
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	return i
}

// shown quotes a key for a reason, bounded.
func shown(key []byte) string {
	const most = 64
	if len(key) > most {
		return fmt.Sprintf("%.64q...", key[:most])
	}
	return fmt.Sprintf("%q", key)
}

// report notes the first reason to refuse a well-formed message.
func (s *scanner) report(at, code int, reason string) {
	if s.err == nil {
		s.err = &ScanError{Offset: at, Reason: reason, RPCCode: code}
	}
}

// refuse stops the scan at a value that is not acceptable here.
func (s *scanner) refuse(at, code int, reason string) int {
	s.hard = &ScanError{Offset: at, Reason: reason, RPCCode: code}
	return -1
}

func (s *scanner) syntax(at int, reason string) int {
	at = min(at, len(s.data))
	if reason != "unexpected end" && at == len(s.data) {
		reason = "unexpected end"
	}
	return s.refuse(at, CodeParse, reason)
}

func (s *scanner) tooDeep(at int) int {
	return s.refuse(at, CodeInvalidRequest, fmt.Sprintf("nested deeper than %d", s.depth))
}

func (s *scanner) tooLarge(limit int) error {
	return &ScanError{Offset: limit, Reason: fmt.Sprintf("larger than %d bytes", limit), RPCCode: CodeInvalidRequest}
}

// failure returns the error to give back: what stopped the scan before what
// was noted on the way, since a broken message has no meaning to judge.
func (s *scanner) failure() *ScanError {
	e := s.hard
	if e == nil {
		e = s.err
	}
	if !s.twoIDs {
		e.ID = s.readID()
	}
	return e
}
