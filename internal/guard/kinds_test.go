package guard_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"durward"
)

// kinds are texts as calls carry them, in order, none of which repeats itself
// but for padding: a processor that has learned a text by heart says little
// about the next one.
var kinds = []struct {
	name string
	of   func(r *rand.Rand, b *strings.Builder)
}{
	{"padding", func(_ *rand.Rand, b *strings.Builder) { b.WriteString(strings.Repeat("p", 4096)) }},
	{"prose", sentence},
	{"records", func(r *rand.Rand, b *strings.Builder) {
		fmt.Fprintf(b, "{\"id\": %d, \"name\": \"%s %s\", \"open\": %t, \"total\": %d.%02d, \"note\": \"", r.IntN(9000), pick(r, plainWords), pick(r, plainWords), r.IntN(2) == 0, r.IntN(900), r.IntN(100))
		sentence(r, b)
		b.WriteString("\"},\n")
	}},
	{"code", func(r *rand.Rand, b *strings.Builder) {
		name, other := pick(r, plainWords), pick(r, plainWords)
		fmt.Fprintf(b, "func (s *%s) %s(ctx context.Context, %s string) (*%s, error) {\n\tif s.%s == nil || len(%s) > %d {\n\t\treturn nil, errNo%s\n\t}\n\treturn s.%s.get(ctx, %s+\"-%d\")\n}\n\n", name, other, other, name, other, other, r.IntN(99), name, name, other, r.IntN(1000))
	}},
	{"base64", func(r *rand.Rand, b *strings.Builder) {
		raw := make([]byte, 57)
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		b.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	}},
	{"CJK", func(r *rand.Rand, b *strings.Builder) {
		for range 8 + r.IntN(20) {
			b.WriteRune(rune(0x4e00 + r.IntN(0x2000)))
		}
		b.WriteString("。")
	}},
}

func sentence(r *rand.Rand, b *strings.Builder) {
	for n := 6 + r.IntN(12); n > 0; n-- {
		b.WriteString(pick(r, plainWords))
		if r.IntN(12) == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
	}
	b.WriteString(pick(r, plainWords) + ". ")
}

func pick(r *rand.Rand, all []string) string { return all[r.IntN(len(all))] }

var plainWords = strings.Fields(`the of and a to in is was for on that with as at by it from are this were be has an which or had its
	not their also but one two other more new first time after all most between during region station river average summer winter report
	table measured northern southern kilometres population council library railway century building village harbour engine season match
	players company members produced published music album species forest mountain valley bridge water temperature rainfall several large
	small local public service office customer order invoice amount status open closed date number city street school university research
	Anna Berlin Oslo July April 2019 1998 24 7.5 website history development system data model`)

func textOf(kind func(*rand.Rand, *strings.Builder), size int) string {
	r, b := rand.New(rand.NewPCG(1, 2)), &strings.Builder{}
	for b.Len() < size {
		kind(r, b)
	}
	return strings.ToValidUTF8(b.String()[:size], "")
}

// BenchmarkKinds is what 256 KiB cost each way, as most scopes have it: the
// arguments of a call, and its result. What was read before costs next to
// nothing, so that a number makes each of them new.
func BenchmarkKinds(b *testing.B) {
	const size = 256 << 10
	for _, k := range kinds {
		quoted, err := json.Marshal("00000000 " + textOf(k.of, size))
		if err != nil {
			b.Fatal(err)
		}
		s := scope(b, durward.Guard{})
		for name, look := range map[string]func(){
			"arguments": looker(`{"text":`+string(quoted)+`}`, func(raw []byte) { s.Arguments(raw) }),
			"result":    looker(`{"content":[{"type":"text","text":`+string(quoted)+`}]}`, func(raw []byte) { s.Read(raw, durward.Deny) }),
		} {
			b.Run(k.name+"/"+name, func(b *testing.B) {
				look()
				before := processorTime(b)
				b.ReportAllocs()
				for b.Loop() {
					look()
				}
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N)/(size>>10), "cpu-us/KB")
			})
		}
	}
}

// looker looks at a message as if it were another each time.
func looker(message string, look func([]byte)) func() {
	raw, n := []byte(message), 0
	at := strings.Index(message, "00000000")
	return func() {
		n++
		copy(raw[at:], fmt.Sprintf("%08d", n))
		look(raw)
	}
}
