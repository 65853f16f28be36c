package guard

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What goes to the engine that goes back and tries again is bounded: its
// compiler takes time with the square of the depth, and a match can take for ever.
const (
	slowLength = 4 << 10 // bytes of a pattern
	slowDepth  = 100     // of its parentheses
)

// slowMost is how long one validation may spend with patterns that RE2 cannot
// express. Those go back and try again, which can take for ever.
const slowMost = 500 * time.Millisecond

// slowWait is how long a match waits for its turn.
const slowWait = time.Second

// slowReturns is how many places a match may have to come back to, eight bytes
// each: a few for each character of a text of 100,000.
const slowReturns = 1 << 20

// slowClock has the engine look at the time often enough, once.
var slowClock sync.Once

// pattern is a regular expression whose use is paid for.
type pattern struct {
	text   string
	quick  *regexp.Regexp  // linear in the text; nil where RE2 cannot express it
	slow   *regexp2.Regexp // then: look-around and back-references, as ECMA-262 has them; nil when it is no pattern there either
	budget *budget
}

// slowPlaces is how many slow matches run at a time: half of the cores are left
// to everybody else.
var slowPlaces = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// compilePattern fails where a pattern could cost too much. What is no pattern
// at all matches everything, and the rest of its schema is checked nevertheless.
func (b *budget) compilePattern(text string) (jsonschema.Regexp, error) {
	p := &pattern{text: text, budget: b}
	var err error
	if same, ok := forRE2(classless(text, `[\x{0}-\x{10FFFF}]`, `[^\x{0}-\x{10FFFF}]`)); ok {
		if p.quick, err = regexp.Compile(same); err == nil {
			return p, nil
		}
	}
	if len(text) > slowLength || depth(text) > slowDepth {
		return nil, fmt.Errorf("its pattern %.40q is too long or too deep", text)
	}
	slowClock.Do(func() { regexp2.SetTimeoutCheckPeriod(slowMost / 20) })
	if slow, err := regexp2.Compile(classless(text, `[\s\S]`, `[^\s\S]`), regexp2.ECMAScript, regexp2.Unicode, regexp2.OptionMaxBacktrackingStackSize(slowReturns)); err == nil {
		slow.MatchTimeout = slowMost
		p.slow = slow
	}
	return p, nil
}

// depth is how deep the parentheses of a pattern are nested, escaped ones and
// those in classes among them.
func depth(text string) int {
	most, now := 0, 0
	for _, c := range text {
		switch c {
		case '(':
			now++
			most = max(most, now)
		case ')':
			now--
		}
	}
	return most
}

// classless writes the classes of ECMA-262 that no other dialect has: [^],
// which is any character, and [], which is none.
func classless(text, anything, nothing string) string {
	if !strings.Contains(text, "[]") && !strings.Contains(text, "[^]") {
		return text
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			b.WriteByte(text[i])
			i++
		case class:
			class = text[i] != ']'
		case strings.HasPrefix(text[i:], "[^]"):
			b.WriteString(anything)
			i += len("[^]") - 1
			continue
		case strings.HasPrefix(text[i:], "[]"):
			b.WriteString(nothing)
			i += len("[]") - 1
			continue
		default:
			class = text[i] == '['
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

var dotsAll = regexp.MustCompile(`\(\?[imsU-]*s[imsU-]*[:)]`)

// forRE2 writes a pattern of ECMA-262 as RE2 understands it: \s is ASCII there,
// and a dot stops at line feeds alone. Where that cannot be written it is not ok.
func forRE2(text string) (same string, ok bool) {
	const space, lineEnd = `\s\v\x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}`, `\n\r\x{2028}\x{2029}`
	if dotsAll.MatchString(text) { // no pattern of ECMA-262, but many servers write it
		return text, true
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			switch e := text[i]; {
			case e == 's' && class:
				b.WriteString(space)
			case e == 's':
				b.WriteString("[" + space + "]")
			case e == 'S' && class:
				return "", false
			case e == 'S':
				b.WriteString("[^" + space + "]")
			default:
				b.WriteString(text[i-1 : i+1])
			}
			continue
		case c == '.' && !class:
			b.WriteString("[^" + lineEnd + "]")
			continue
		case c == '[' && class: // to RE2 it may begin the name of a class
			b.WriteString(`\[`)
			continue
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		b.WriteByte(text[i])
	}
	return b.String(), true
}

// MatchString implements jsonschema.Regexp.
func (p *pattern) MatchString(s string) bool {
	p.budget.spend(1 + len(s)>>6)
	switch {
	case p.quick != nil:
		return p.quick.MatchString(s)
	case p.slow == nil:
		return true
	}
	wait := time.NewTimer(slowWait)
	defer wait.Stop()
	select {
	case slowPlaces <- struct{}{}:
		defer func() { <-slowPlaces }()
	case <-wait.C:
		panic(tooCostly{})
	}
	began := time.Now()
	ok, err := p.slow.MatchString(s)
	if p.budget.slow -= time.Since(began); err != nil || p.budget.slow < 0 {
		panic(tooCostly{})
	}
	return ok
}

// String implements fmt.Stringer.
func (p *pattern) String() string { return p.text }
