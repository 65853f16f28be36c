package model

import "durward/internal/guard/lexicon"

// Shape names an outline of a sentence or the place it stood in; shapes are
// numbered behind the concepts of the vocabulary.
type Shape uint16

// The shapes.
const (
	ShapeURL Shape = iota
	ShapeEmail
	ShapePath
	ShapeCode
	ShapeQuote
	ShapeCaps
	ShapeExclaim
	ShapeIdent
	ShapeTag
	ShapeBraces
	ShapeForeign
	ShapeLong
	PlaceParam
	PlaceEnum
	PlaceTitle
	PlaceName
	PlaceMeta
	PlaceView
	PlaceHidden
	PlaceRequired
	PlaceDiscusses // in a text about attacks
	ShapeImperative
	ShapePlease
	ShapeNumber
	ShapeMoney
	ShapeImage   // an image or link in markdown that leads elsewhere
	ShapeSlot    // an address with a place to put something in
	ShapeHandler // markup that runs
	ShapeAlien   // words, none of them English
	ShapeEnd     // a line of marks: something ends here
	shapeCount
)

type shapes struct{ base lexicon.Concept }

// Place returns the set that marks text found at a place.
func Place(lex *lexicon.Lexicon, s ...Shape) lexicon.Set {
	var set lexicon.Set
	for _, x := range s {
		set = set.With(lexicon.Concept(lex.Len()) + lexicon.Concept(x))
	}
	return set
}

func (s shapes) set(set lexicon.Set, x Shape) lexicon.Set {
	return set.With(s.base + lexicon.Concept(x))
}

// of looks at the outline of a sentence.
func (s shapes) of(b []byte) lexicon.Set {
	var set lexicon.Set
	caps, slashes, braces, high := 0, 0, 0, 0
	equals, colons := false, false
	for i := 0; i < len(b); i++ {
		role := roles[b[i]]
		if role == plainByte {
			continue
		}
		c := b[i]
		switch role {
		case capital:
			from := i
			for i+1 < len(b) && roles[b[i+1]] == capital {
				i++
			}
			if i-from >= 3 {
				caps++
			}
		case ruler:
			from := i
			for i+1 < len(b) && b[i+1] == c {
				i++
			}
			if n := i - from; n >= 4 {
				set = s.set(set, ShapeEnd)
			} else if c == '_' && n == 0 && i > 0 && i+1 < len(b) && wordByte(b[i-1]) && wordByte(b[i+1]) {
				set = s.set(set, ShapeIdent)
			}
			if c == '=' {
				braces += i - from + 1
				equals = true
			}
		case colon:
			colons = true
			if i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
				set = s.set(set, ShapeURL)
			}
		case beyond:
			high++
		case brace:
			braces++
		case slash:
			slashes++
		case numeral:
			if i+3 < len(b) && roles[b[i+1]] == numeral && roles[b[i+2]] == numeral {
				set = s.set(set, ShapeNumber)
			}
		case mark:
			set = s.mark(set, b, i)
		}
	}
	set = s.links(set, b, equals, colons)
	order, please := opening(b)
	if order {
		set = s.set(set, ShapeImperative)
	}
	if please {
		set = s.set(set, ShapePlease)
	}
	if caps >= 2 {
		set = s.set(set, ShapeCaps)
	}
	if slashes >= 2 {
		set = s.set(set, ShapePath)
	}
	if braces >= 5 {
		set = s.set(set, ShapeBraces)
	}
	if high*4 > len(b) {
		set = s.set(set, ShapeForeign)
	}
	if len(b) > mostSentence-10 {
		set = s.set(set, ShapeLong)
	}
	return set
}

// mark looks at a mark that says something by itself or by what stands around it.
func (s shapes) mark(set lexicon.Set, b []byte, i int) lexicon.Set {
	switch c := b[i]; {
	case c == '@' && i > 0 && i+3 < len(b) && wordByte(b[i-1]) && wordByte(b[i+1]):
		return s.set(set, ShapeEmail)
	case c == '`':
		return s.set(set, ShapeCode)
	case c == '"' || c == '\'' && i > 0 && !wordByte(b[i-1]):
		return s.set(set, ShapeQuote)
	case c == '!':
		return s.set(set, ShapeExclaim)
	case c == '<' && i+1 < len(b) && (wordByte(b[i+1]) || b[i+1] == '/' || b[i+1] == '!' || b[i+1] == '|'):
		return s.set(set, ShapeTag)
	case c == '$' && i+1 < len(b) && '0' <= b[i+1] && b[i+1] <= '9':
		return s.set(set, ShapeMoney)
	}
	return set
}

// What a byte is to an outline: most of a text is nothing to it.
const (
	plainByte = iota
	capital
	numeral
	beyond // ASCII
	ruler  // a row of them is a rule
	colon
	slash
	brace
	mark
)

var roles = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case 'A' <= c && c <= 'Z':
			t[c] = capital
		case '0' <= c && c <= '9':
			t[c] = numeral
		case c >= 0x80:
			t[c] = beyond
		}
	}
	for bytes, role := range map[string]uint8{"-=*#%_~": ruler, ":": colon, "/": slash, "{}(;": brace, "@`\"'!<$": mark} {
		for i := range len(bytes) {
			t[bytes[i]] = role
		}
	}
	return t
}()

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
