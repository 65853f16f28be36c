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
	caps, slashes, braces, high, capsRun := 0, 0, 0, 0, 0
	for i, c := range b {
		if plain[c] {
			capsRun = 0
			continue
		}
		switch {
		case 'A' <= c && c <= 'Z':
			capsRun++
			if capsRun == 4 {
				caps++
			}
			continue
		case c == ':' && i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/':
			set = s.set(set, ShapeURL)
		case c == '@' && i > 0 && i+3 < len(b) && wordByte(b[i-1]) && wordByte(b[i+1]):
			set = s.set(set, ShapeEmail)
		case c == '/':
			slashes++
		case c == '`':
			set = s.set(set, ShapeCode)
		case c == '"' || c == '\'' && i > 0 && !wordByte(b[i-1]):
			set = s.set(set, ShapeQuote)
		case c == '!':
			set = s.set(set, ShapeExclaim)
		case c == '_' && i > 0 && i+1 < len(b) && wordByte(b[i-1]) && wordByte(b[i+1]):
			set = s.set(set, ShapeIdent)
		case c == '<' && i+1 < len(b) && (wordByte(b[i+1]) || b[i+1] == '/' || b[i+1] == '!' || b[i+1] == '|'):
			set = s.set(set, ShapeTag)
		case c == '{' || c == '}' || c == '=' || c == '(' || c == ';':
			braces++
		case c >= 0x80:
			high++
		case c == '$' && i+1 < len(b) && '0' <= b[i+1] && b[i+1] <= '9':
			set = s.set(set, ShapeMoney)
		case '0' <= c && c <= '9' && i+3 < len(b) && '0' <= b[i+1] && b[i+1] <= '9' && '0' <= b[i+2] && b[i+2] <= '9':
			set = s.set(set, ShapeNumber)
		}
		capsRun = 0
	}
	set = s.links(set, b)
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

// plain are the bytes that no outline is made of: most of a text.
var plain = func() (t [256]bool) {
	for c := 'a'; c <= 'z'; c++ {
		t[c] = true
	}
	for _, c := range " ,.-\n\t?#*|[]>%&+^~" {
		t[c] = true
	}
	return t
}()

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
