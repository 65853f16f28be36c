package mcpedge_test

import (
	"durward"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuestionsOfTheServer(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "ask"), s)
	question := w.next(t)
	id, _ := mcpwire.Field([]byte(question), "id")
	if method, _ := mcpwire.FieldText([]byte(question), "method"); method != "elicitation/create" {
		t.Fatalf("question = %s", question)
	}
	answer := `{"jsonrpc":"2.0","id":` + string(id) + `,"result":{"action":"accept","content":{"b":"main"}}}`
	bob := []string{h.session(t, "2025-11-25", "Authorization:", "Authorization: Bearer "+keyOf("bob")), "Authorization:", "Authorization: Bearer " + keyOf("bob")}
	if r := h.post(t, answer, bob...); r.StatusCode != 202 { // another session: nobody waits there
		t.Errorf("foreign answer = %d, want 202", r.StatusCode)
	}
	if r := h.post(t, answer, s); r.StatusCode != 202 {
		t.Errorf("answer = %d %s, want 202", r.StatusCode, r.body)
	}
	w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"answer: {\"action\":\"accept\",\"content\":{\"b\":\"main\"}}"}]}}`)
	w.wants(t, "EOF")
	if r := h.post(t, answer, s); r.StatusCode != 202 { // late and twice: dropped
		t.Errorf("second answer = %d, want 202", r.StatusCode)
	}
}

// A gateway that shuts down waits for nobody's answer: it could not come in.
func TestQuestionsAreWithdrawnAtTheEnd(t *testing.T) {
	h := open(t, mcpedge.Options{})
	w := h.stream(t, "POST", "/mcp", call("1", "ask"), h.session(t, "2025-11-25"))
	id, _ := mcpwire.Field([]byte(w.next(t)), "id")
	h.face.Drain()
	w.wants(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+string(id)+`}}`)
	if last := w.next(t); !strings.Contains(last, `"id":1`) || !strings.Contains(last, "shutting down") {
		t.Errorf("the call ended with %s", last)
	}
}

// A server may want to know several things at once. Each question has an id of
// its own, and the answers may come in any order, from any connection.
func TestQuestionsSideBySide(t *testing.T) {
	for _, revision := range []string{"2025-06-18", "2025-11-25"} {
		h := open(t, mcpedge.Options{})
		s := h.session(t, revision)
		w := h.stream(t, "POST", "/mcp", call("1", "asks:5"), s)
		ids := map[string]string{} // by message
		for range 5 {
			q := []byte(w.next(t))
			id, _ := mcpwire.Field(q, "id")
			message, _ := mcpwire.Path(q, "params", "message")
			ids[string(message)] = string(id)
		}
		if distinct := slices.Compact(slices.Sorted(maps.Values(ids))); len(distinct) != 5 {
			t.Fatalf("questions = %v, want 5 with ids of their own", ids)
		}
		for i := 4; i >= 0; i-- {
			a := `{"jsonrpc":"2.0","id":` + ids[fmt.Sprintf(`"%d"`, i)] + `,"result":{"action":"accept"}}`
			if i == 2 {
				a = `{"jsonrpc":"2.0","id":` + ids[`"2"`] + `,"error":{"code":-1,"message":"user closed the window"}}`
			}
			if r := h.post(t, a, s); r.StatusCode != 202 {
				t.Errorf("answer %d = %d %s", i, r.StatusCode, r.body)
			}
		}
		w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"0 accept; 1 accept; 2 refused with -1; 3 accept; 4 accept"}]}}`)
		counted(t, h.face, nil)
	}
}

// An answer that cannot be read is the answer all the same: no other will come.
func TestAnAnswerThatCannotBeRead(t *testing.T) {
	const ended = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"no answer: the client's answer cannot be read (-32603)"}]}}`
	for name, bad := range map[string]string{
		"result and error": `{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"x"}}`,
		"no object":        `{"jsonrpc":"2.0","id":ID,"result":7}`,
		"two results":      `{"jsonrpc":"2.0","id":ID,"result":{},"result":{}}`,
		"in a batch":       `[{"jsonrpc":"2.0","method":"notifications/roots/list_changed"},{"jsonrpc":"2.0","id":ID,"result":7}]`,
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, mcpedge.Options{})
			s := h.session(t, "2025-03-26")
			w := h.stream(t, "POST", "/mcp", call("1", "ask:ping"), s)
			id, _ := mcpwire.Field([]byte(w.next(t)), "id")
			if r := h.post(t, strings.ReplaceAll(bad, "ID", string(id)), s); !strings.Contains(r.body, `"error"`) {
				t.Errorf("answered with %d %s, want an error", r.StatusCode, r.body)
			}
			w.wants(t, ended)
		})
		t.Run(name+", over stdio", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, t.Context(), mcpedge.Options{})
				p.send(t, strings.Replace(initializeLine, "2025-06-18", "2025-03-26", 1))
				p.send(t, call("1", "ask:ping"))
				p.lines.Scan() // the greeting
				p.lines.Scan()
				id, _ := mcpwire.Field(p.lines.Bytes(), "id")
				p.send(t, strings.ReplaceAll(bad, "ID", string(id)))
				var lines []string
				for range 2 { // of which the refusal of the line is one
					p.lines.Scan()
					lines = append(lines, p.lines.Text())
				}
				if !slices.Contains(lines, ended) {
					t.Errorf("the call ended with %q, want %s", lines, ended)
				}
				p.end(t)
			})
		})
	}
}

// Questions are bounded, and what cannot be asked is told.
func TestTooManyQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{Questions: 3})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, call("1", "asks:5"))
		ids := []string{p.asked(t), p.asked(t), p.asked(t)}
		synctest.Wait() // the others were put by now
		for _, id := range ids {
			p.send(t, accepting(id))
		}
		if !p.lines.Scan() || strings.Count(p.lines.Text(), "accept") != 3 || strings.Count(p.lines.Text(), "failed") != 2 {
			t.Errorf("answer = %s, want 3 of 5 accepted", p.lines.Text())
		}
		p.end(t)
	})
}

// Over a connection that carries everything the same holds.
func TestStdioQuestionsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, call("1", "asks:3"))
		ids := []string{p.asked(t), p.asked(t), p.asked(t)}
		for _, id := range []string{ids[1], ids[2], ids[0]} {
			p.send(t, accepting(id))
		}
		p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"0 accept; 1 accept; 2 accept"}]}}`)
		p.end(t)
	})
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	none := "no answer: " + durward.ErrCannotAsk.Error()
	for tool, hs := range map[string]header{
		"ask:sampling/createMessage": {s}, // not declared
		"ask:no/such":                {s},
		"ask":                        {s, "Accept:", "Accept: application/json"},
	} {
		if r := h.post(t, call("1", tool), hs...); !strings.Contains(r.body, none) {
			t.Errorf("%s = %s, want %q", tool, r.body, none)
		}
	}
	body, hs := modern("1", "tools/call", `"name":"ask"`)
	if r := h.post(t, body, hs...); !strings.Contains(r.body, none) {
		t.Errorf("modern = %s, want %q", r.body, none)
	}
}

func TestQuestionRefusedAndUnanswered(t *testing.T) {
	h := open(t, mcpedge.Options{AnswerTime: 30 * time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "ask"), s)
	question := []byte(w.next(t))
	id, _ := mcpwire.Field(question, "id")
	h.post(t, `{"jsonrpc":"2.0","id":`+string(id)+`,"error":{"code":-1,"message":"user said no"}}`, s)
	if got := w.next(t); !strings.Contains(got, "user said no") {
		t.Errorf("answer = %s", got)
	}
	w = h.stream(t, "POST", "/mcp", call("1", "ask"), s)
	w.next(t)
	if got := w.next(t); !strings.Contains(got, "notifications/cancelled") {
		t.Errorf("unanswered question was followed by %s, want its withdrawal", got)
	}
	if got := w.next(t); !strings.Contains(got, "no answer in time") {
		t.Errorf("answer = %s", got)
	}
}
