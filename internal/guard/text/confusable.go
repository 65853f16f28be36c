package text

import "sync"

// lookalike returns the Latin letter that r is drawn like.
func lookalike(r rune) (byte, bool) {
	if r < quickRunes {
		l := likeness()[r]
		return l, l != 0
	}
	return drawnLike(r)
}

var likeness = sync.OnceValue(func() *[quickRunes]byte {
	var t [quickRunes]byte
	for r := range rune(quickRunes) {
		t[r], _ = drawnLike(r)
	}
	return &t
})

// drawnLike is our own table: letters that share their outline in common
// typefaces.
func drawnLike(r rune) (byte, bool) {
	switch r {
	case 'а', 'ɑ', 'α', 'ａ':
		return 'a', true
	case 'Ь', 'ь', 'ƅ':
		return 'b', true
	case 'с', 'ϲ', 'ⅽ', 'ᴄ', 'ҫ':
		return 'c', true
	case 'ԁ', 'ⅾ', 'ժ':
		return 'd', true
	case 'е', 'ҽ', 'є', 'ε', 'ℯ':
		return 'e', true
	case 'ք', 'ƒ':
		return 'f', true
	case 'ɡ', 'ց', 'ƍ':
		return 'g', true
	case 'һ', 'հ', 'н':
		return 'h', true
	case 'і', 'ι', 'ӏ', 'ı', 'ɩ', 'ї':
		return 'i', true
	case 'ј', 'ϳ':
		return 'j', true
	case 'к', 'κ', 'ĸ', 'ҝ':
		return 'k', true
	case 'ⅼ', 'ℓ', 'ǀ', 'ո':
		if r == 'ո' {
			return 'n', true
		}
		return 'l', true
	case 'м', 'ⅿ', 'ᴍ':
		return 'm', true
	case 'п', 'η', 'ռ':
		return 'n', true
	case 'о', 'ο', 'օ', 'σ', 'ө', 'ᴏ':
		return 'o', true
	case 'р', 'ρ', 'ϱ':
		return 'p', true
	case 'ԛ', 'գ':
		return 'q', true
	case 'г', 'ᴦ':
		return 'r', true
	case 'ѕ', 'ꜱ':
		return 's', true
	case 'т', 'τ', 'ᴛ':
		return 't', true
	case 'υ', 'ս', 'ц', 'ᴜ':
		return 'u', true
	case 'ѵ', 'ν', 'ᴠ':
		return 'v', true
	case 'ѡ', 'ω', 'ա', 'ш', 'ᴡ':
		return 'w', true
	case 'х', 'χ', 'ҳ':
		return 'x', true
	case 'у', 'ү', 'γ', 'ყ', 'ʏ':
		return 'y', true
	case 'ᴢ', 'ʐ', 'ȥ':
		return 'z', true
	}
	return 0, false
}

func latinLetter(r rune) bool {
	return r < 0x250 || r >= 0x1e00 && r <= 0x1eff
}

// styled reports letters of the mathematical and enclosed alphabets.
func styled(r rune) bool {
	return r >= 0x1d400 && r <= 0x1d7ff || r >= 0x1f130 && r <= 0x1f189 || r >= 0x24b6 && r <= 0x24e9
}

// simplePunct maps typographic punctuation to ASCII.
func simplePunct(r rune) (byte, bool) {
	switch r {
	case '\u2018', '\u2019', '\u201a', '\u201b', '\u2032', '\u02bc':
		return '\'', true
	case '\u201c', '\u201d', '\u201e', '\u201f', '\u2033', '\u00ab', '\u00bb':
		return '"', true
	case '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212':
		return '-', true
	case '\u2028', '\u2029', '\u0085':
		return '\n', true
	case '\u3002', '\uff61':
		return '.', true
	case '\u3001', '\uff0c':
		return ',', true
	}
	return 0, false
}
