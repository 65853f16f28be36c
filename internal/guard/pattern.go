package guard

import (
	"regexp"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// slowMost is how long one validation may spend with patterns that RE2 cannot
// express. Those go back and try again, which can take for ever.
const slowMost = 50 * time.Millisecond

func init() { regexp2.SetTimeoutCheckPeriod(slowMost / 5) }

// pattern is a regular expression whose use is paid for.
type pattern struct {
	text   string
	quick  *regexp.Regexp  // linear in the text; nil where RE2 cannot express it
	slow   *regexp2.Regexp // then: look-around and back-references, as ECMA-262 has them; nil when it is no pattern there either
	budget *budget
}

// compilePattern never fails: what is no pattern at all matches everything, and
// the rest of its schema is checked nevertheless.
func (b *budget) compilePattern(text string) (jsonschema.Regexp, error) {
	p := &pattern{text: text, budget: b}
	var err error
	if p.quick, err = regexp.Compile(text); err == nil {
		return p, nil
	}
	if p.slow, err = regexp2.Compile(text, regexp2.ECMAScript, regexp2.Unicode); err != nil {
		p.slow = nil
		return p, nil
	}
	p.slow.MatchTimeout = slowMost
	return p, nil
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
	began := time.Now()
	ok, err := p.slow.MatchString(s)
	if p.budget.slow -= time.Since(began); err != nil || p.budget.slow < 0 {
		panic(tooCostly{})
	}
	return ok
}

// String implements fmt.Stringer.
func (p *pattern) String() string { return p.text }
