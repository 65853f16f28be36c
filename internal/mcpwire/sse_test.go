package mcpwire_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"durward/internal/mcpwire"
)

// events reads a whole stream and writes each event as id|event|retry|data.
func events(r io.Reader, limit int) (out []string, err error) {
	er := mcpwire.NewEventReader(r, limit)
	for {
		e, err := er.Next()
		if err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("%s|%s|%d|%s", e.ID, e.Event, e.Retry, e.Data))
	}
}

func TestEventReader(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		want   []string
	}{
		"a message":                          {"id: s7-1\nevent: message\ndata: {\"a\":1}\n\n", []string{`s7-1|message|0|{"a":1}`}},
		"line ends of every kind":            {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", []string{"||0|a", "||0|b", "||0|c"}},
		"data in several lines":              {"data: a\ndata\ndata:b\n\n", []string{"||0|a\n\nb"}},
		"one space is dropped, not two":      {"data:  a\n\n", []string{"||0| a"}},
		"a priming event with an id":         {"id: s7-0\ndata: \n\n", []string{"s7-0||0|"}},
		"a retry time alone":                 {"retry: 1500\n\n", []string{"||1500|"}},
		"a retry time that is no number":     {"retry: +5\nretry: x\ndata: a\n\n", []string{"||0|a"}},
		"comments and unknown fields":        {": hi\n\n:\nfoo: bar\ndata: a\n\n", []string{"||0|a"}},
		"an event type without data":         {"event: ping\n\ndata: a\n\n", []string{"||0|a"}},
		"an unfinished event is dropped":     {"data: a\n\ndata: b\n", []string{"||0|a"}},
		"a byte order mark is skipped":       {"\ufeffdata: a\n\n", []string{"||0|a"}},
		"a byte order mark later is content": {"data: a\n\n\ufeffdata: b\n\ndata: c\n\n", []string{"||0|a", "||0|c"}},
		"an id with NUL is ignored":          {"id: a\x00b\ndata: a\n\n", []string{"||0|a"}},
		"an empty stream":                    {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(tc.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tc.stream)),
				"with the end": iotest.DataErrReader(strings.NewReader(tc.stream)),
			} {
				got, err := events(r, 1<<20)
				if !errors.Is(err, io.EOF) || strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
					t.Errorf("%s: events of %q = %q, %v, want %q and EOF", how, tc.stream, got, err, tc.want)
				}
			}
		})
	}
}

func TestEventReaderBoundsEvents(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for name, stream := range map[string]string{
		"one long line":        "data: " + long + "\n\n",
		"a line without end":   "data: " + long,
		"many lines":           strings.Repeat("data: xxxxxxxxxxxxxxxx\n", 100) + "\n",
		"many fields, no data": strings.Repeat("event: xxxxxxxxxxxxxxx\n", 100) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := events(strings.NewReader(stream), 1000); !errors.Is(err, mcpwire.ErrEventTooLarge) {
				t.Errorf("error is %v, want ErrEventTooLarge", err)
			}
		})
	}
	quiet := strings.Repeat(":\n", 5000) + "data: a\n\n"
	if got, err := events(strings.NewReader(quiet), 1000); len(got) != 1 {
		t.Errorf("comments count against the limit: %q, %v", got, err)
	}
}

func TestEventReaderGivesTheReadersError(t *testing.T) {
	boom := errors.New("boom")
	if _, err := events(iotest.ErrReader(boom), 100); !errors.Is(err, boom) {
		t.Errorf("error is %v, want %v", err, boom)
	}
}

func TestAppendEventIsReadBack(t *testing.T) {
	for _, tc := range []struct {
		e    mcpwire.Event
		want string
	}{
		{mcpwire.Event{ID: "s-1", Event: "message", Data: []byte(`{"a":1}`)}, "id: s-1\nevent: message\ndata: {\"a\":1}\n\n"},
		{mcpwire.Event{Data: []byte("{\n\"a\":\r\n1}\r")}, "data: {\ndata: \"a\":\ndata: 1}\ndata: \n\n"},
		{mcpwire.Event{ID: "s\n-\r\x000", Retry: 1000}, "id: s-0\nretry: 1000\ndata: \n\n"},
	} {
		got := mcpwire.AppendEvent(nil, tc.e)
		if string(got) != tc.want {
			t.Errorf("AppendEvent(%v) = %q, want %q", tc.e, got, tc.want)
		}
		if back, _ := events(strings.NewReader(string(got)), 1000); len(back) != 1 {
			t.Errorf("%q is read as %q", got, back)
		}
	}
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, limit := range []int{20_000, 10} {
		in := "a\r\n\n  \n" + long + "\nb\n" + long + "\nlast"
		r := mcpwire.NewLineReader(strings.NewReader(in), limit)
		var got []string
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			got = append(got, fmt.Sprintf("%s:%v", line, err))
		}
		over := fmt.Sprintf(":line longer than %d bytes ", limit)
		if want := "a:<nil> " + over + "b:<nil> " + over + "last:<nil>"; strings.Join(got, " ") != want {
			t.Errorf("limit %d: lines are %v, want %s", limit, got, want)
		}
	}
	r := mcpwire.NewLineReader(strings.NewReader("12345\n123456\n"), 5)
	if line, err := r.Next(); string(line) != "12345" || err != nil {
		t.Errorf("a line of the limit is %q, %v", line, err)
	}
	var over *mcpwire.LineTooLong
	if _, err := r.Next(); !errors.As(err, &over) || over.Most != 5 || over.ID != nil {
		t.Errorf("a line over the limit gives %v", err)
	}
}

func TestLineReaderFindsTheIDOfALongLine(t *testing.T) {
	text := strings.Repeat("x", 40_000)
	for name, test := range map[string]struct{ line, id string }{
		"at the start":              {`{"jsonrpc":"2.0","id":7,"method":"m","params":{"t":"` + text + `"}}`, `7`},
		"at the end":                {`{"method":"m","params":{"t":"` + text + `"},"jsonrpc":"2.0","id":"a-1"}`, `"a-1"`},
		"before the version":        {`{"method":"m","params":{"t":"` + text + `"}, "id": -3, "jsonrpc": "2.0" }`, `-3`},
		"of something in it":        {`{"jsonrpc":"2.0","method":"m","params":{"t":"` + text + `","id":5}}`, ``},
		"in a text":                 {`{"jsonrpc":"2.0","method":"m","params":{},"t":"` + text + `{\"id\":5"}`, ``},
		"escaped at the end":        {`{"method":"m","params":{"t":"` + text + `"},"id":"a\"b"}`, ``},
		"behind what is too long":   {`{"method":"m","params":{"t":"` + text + `"},"id":5,"more":"` + text + `"}`, ``},
		"an object":                 {`{"id":{"a":1},"method":"m","params":{"t":"` + text + `"}}`, ``},
		"cut off":                   {`{"id":"` + text + `"}`, ``},
		"of no message, but a line": {text, ``},
	} {
		for _, limit := range []int{300, 20_000} {
			r := mcpwire.NewLineReader(strings.NewReader(test.line+"\nnext\n"), limit)
			var long *mcpwire.LineTooLong
			if _, err := r.Next(); !errors.As(err, &long) || string(long.ID) != test.id {
				t.Errorf("%s, limit %d: %v with id %s, want %s", name, limit, err, long.ID, test.id)
			}
			if line, err := r.Next(); string(line) != "next" || err != nil {
				t.Errorf("%s: the next line is %q, %v", name, line, err)
			}
		}
	}
}
