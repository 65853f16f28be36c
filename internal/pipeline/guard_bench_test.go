package pipeline_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"durward"
	"durward/internal/upstream"
)

// BenchmarkServe is a whole call through the pipeline with a reply of a size,
// in CPU time: with arguments and texts that are new each time, and with the
// same ones again.
func BenchmarkServe(b *testing.B) {
	const prose = "The service keeps invoices for each customer. Each item has an id, an amount and a status; reminders are sent every seven days. "
	for _, size := range []struct {
		name string
		n    int
	}{{"1KiB", 1 << 10}, {"32KiB", 32 << 10}, {"256KiB", 256 << 10}} {
		for _, again := range []bool{false, true} {
			name := size.name + "/new"
			if again {
				name = size.name + "/again"
			}
			result := []byte(`{"resultType":"complete","content":[{"type":"text","text":"00000000 ` + strings.Repeat(prose, size.n/len(prose)) + `"}]}`)
			b.Run(name, func(b *testing.B) { benchmarkServe(b, result, again) })
		}
	}
}

func benchmarkServe(b *testing.B, result []byte, again bool) {
	h := newHouse(b)
	h.up.listings[0].Modern = true
	if err := h.Load(snapshotOf(h)); err != nil {
		b.Fatal(err)
	}
	h.up.answer = func(*upstream.Request) (durward.Reply, error) {
		return durward.Reply{Result: result, Modern: true}, nil
	}
	c := h.call(b, "tools/call", `{"name":"crm__get","arguments":{"text":"00000000 notes of the last meeting with the customer"}}`)
	inReply, inArgs := bytes.Index(result, []byte("00000000")), bytes.Index(c.Input.Raw, []byte("00000000"))
	b.ReportAllocs()
	before, n := cpu(), 0
	for b.Loop() {
		if n++; !again {
			number := fmt.Appendf(nil, "%08d", n)
			copy(result[inReply:], number)
			copy(c.Input.Raw[inArgs:], number)
		}
		c.Agent, c.Target = nil, nil
		h.ledger.records, h.ledger.modes, h.up.asked, h.up.params = h.ledger.records[:0], h.ledger.modes[:0], h.up.asked[:0], h.up.params[:0]
		if _, err := h.Serve(b.Context(), c, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
