package pipeline_test

import (
	"context"
	"errors"
	"testing"

	"durward"
	"durward/internal/audit"
)

// herald is a ledger that takes intents.
type herald struct {
	*ledger
	begun   []durward.Record
	refuses error
}

func (h *herald) Begin(_ context.Context, r *durward.Record) error {
	if h.refuses != nil {
		return h.refuses
	}
	h.begun = append(h.begun, *r)
	r.Intent = uint64(len(h.begun))
	return nil
}

// safe seals by saying what it would seal.
type safe struct{ broken error }

func (s safe) Seal(r *durward.Record, field string, _ []byte) ([]byte, error) {
	return []byte(`{"sealed":"` + field + " of " + r.Agent + `"}`), s.broken
}

func keptBy(t *testing.T, change func(*durward.Snapshot)) *house {
	t.Helper()
	h := newHouse(t)
	s := snapshotOf(h)
	change(s)
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	return h
}

const (
	addX = `{"name":"crm__add","arguments":{"text":"x"}}`
	getX = `{"name":"crm__get","arguments":{"text":"x"}}`
)

func TestCallsAreAnnouncedBeforeTheyAreMade(t *testing.T) {
	h := keptBy(t, func(s *durward.Snapshot) { s.RecordMode = "must" })
	log := &herald{ledger: h.ledger}
	h.Records = log
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", addX), nil); err != nil {
		t.Fatal(err)
	}
	if len(log.begun) != 1 || log.begun[0].Tool != "add" || log.begun[0].Agent != "bot" || log.begun[0].ID != "c1" {
		t.Errorf("announced: %+v", log.begun)
	}
	if r, mode := h.ledger.last(t); r.Intent != 1 || r.ID != "c1" || mode != audit.Durable || r.Outcome != durward.OutcomeOK {
		t.Errorf("recorded %+v in mode %v", r, mode)
	}
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", getX), nil); err != nil || len(log.begun) != 1 {
		t.Errorf("a read was announced: %v, %+v", err, log.begun)
	}
	log.refuses = errors.New("no room")
	asked := len(h.up.asked)
	if _, err := h.Serve(t.Context(), h.call(t, "tools/call", addX), nil); durward.AsError(err).Reason != durward.ReasonRecordUnavailable || len(h.up.asked) != asked {
		t.Errorf("without an intent: %v, the upstream was asked %d times", err, len(h.up.asked)-asked)
	}
	if r, _ := h.ledger.last(t); r.Outcome != durward.OutcomeRefused || r.Reason != durward.ReasonRecordUnavailable {
		t.Errorf("the refusal is recorded as %+v", r)
	}
}

func TestModesOfTheRecord(t *testing.T) {
	for _, c := range []struct {
		mode, reads, params string
		want                audit.Mode
	}{
		{"", "", addX, audit.Durable}, {"durable", "", addX, audit.Durable}, {"durable", "", getX, audit.Batched}, {"durable", "durable", getX, audit.Durable},
		{"batched", "", addX, audit.Batched}, {"batched", "durable", getX, audit.Batched}, {"must", "", addX, audit.Durable}, {"must", "", getX, audit.Batched},
	} {
		h := keptBy(t, func(s *durward.Snapshot) { s.RecordMode, s.Reads = c.mode, c.reads })
		h.Records = &herald{ledger: h.ledger}
		if _, err := h.Serve(t.Context(), h.call(t, "tools/call", c.params), nil); err != nil {
			t.Fatal(err)
		}
		if _, mode := h.ledger.last(t); mode != c.want {
			t.Errorf("mode %q, reads %q, %s: recorded in mode %v, want %v", c.mode, c.reads, c.params, mode, c.want)
		}
	}
}

func TestRulesSayWhatIsKept(t *testing.T) {
	h := keptBy(t, func(s *durward.Snapshot) {
		s.Record, s.Results = "digest", "off"
		s.RecordRules = []durward.RecordRule{
			{Tools: []string{"crm__ge*"}, Arguments: "off", Results: "redacted", Class: "short"},
			{Tools: []string{"crm__*"}, Arguments: "full", Results: "full", Class: "patient"},
		}
	})
	h.Vault = safe{}
	serve := func(params string) durward.Record {
		if _, err := h.Serve(t.Context(), h.call(t, "tools/call", params), nil); err != nil {
			t.Fatal(err)
		}
		r, _ := h.ledger.last(t)
		return r
	}
	if r := serve(getX); r.ArgsSHA256 != "" || r.Args != nil || r.ResultSHA256 == "" || string(r.Result) != `{"content":[]}` || r.Class != "short" {
		t.Errorf("the first rule: %+v", r)
	}
	if r := serve(addX); r.ArgsSHA256 == "" || string(r.Args) != `{"sealed":"args of bot"}` || string(r.Result) != `{"sealed":"result of bot"}` || r.Class != "patient" {
		t.Errorf("the second rule: %+v", r)
	}
	h.Vault = safe{errors.New("no key")}
	if r := serve(addX); string(r.Args) != `"[could not be sealed]"` {
		t.Errorf("without a seal: %s", r.Args)
	}
}
