package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/control"
)

// desk is a house whose approvals are recorded.
func desk(t *testing.T, rules durward.ApprovalRules) (*house, *approval.Desk, *[]durward.Record) {
	t.Helper()
	h := open(t)
	var records []durward.Record
	d, err := approval.Open(t.Context(), approval.Options{Store: h.db.Shelf("approvals"), Now: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	d.Rule(rules)
	h.Control = control.New(control.Options{
		Store: h.db, Pepper: h.db.Pepper(), Now: func() time.Time { return h.now }, Approvals: d,
		Record: func(_ context.Context, r *durward.Record) error {
			if h.refuse == nil {
				records = append(records, *r)
			}
			return h.refuse
		},
	})
	return h, d, &records
}

func TestAnAnswerCountsWhenItIsRecorded(t *testing.T) {
	h, d, records := desk(t, durward.ApprovalDefaults())
	q, err := d.Ask(t.Context(), durward.Approval{Agent: "bot", Digest: "d", Tool: "pay", Upstream: "bank", Args: json.RawMessage(`{"n":1}`)}, durward.ApprovalTerms{Need: 1})
	if err != nil {
		t.Fatal(err)
	}
	ann := durward.Actor{Name: "ann", Key: "k_ann", Operator: true}
	if _, err := h.Answer(t.Context(), durward.Actor{Name: "bot"}, q.ID, control.ApprovalAnswer{Approve: true, Reason: "r"}); durward.AsError(err).Code != durward.Forbidden {
		t.Errorf("who is no operator answers: %v", err)
	}
	if _, err := h.Answer(t.Context(), ann, q.ID, control.ApprovalAnswer{Approve: true, Reason: "r", Digest: "other"}); durward.AsError(err).Code != durward.Conflict {
		t.Errorf("another digest: %v", err)
	}
	h.refuse = errors.New("the disk is full")
	if _, err := h.Answer(t.Context(), ann, q.ID, control.ApprovalAnswer{Approve: true, Reason: "r"}); err == nil {
		t.Error("an answer that cannot be recorded counts")
	}
	h.refuse = nil
	got, err := h.Answer(t.Context(), ann, q.ID, control.ApprovalAnswer{Approve: true, Reason: "r", Digest: "d"})
	if err != nil || got.State != durward.ApprovalApproved {
		t.Fatalf("Answer = %v, %v", got.State, err)
	}
	if len(*records) != 1 || (*records)[0].Approval != q.ID || (*records)[0].User != "ann" || (*records)[0].Method != "approval/approve" {
		t.Errorf("the record has %+v", *records)
	}
	if err := d.Use(t.Context(), q.ID, "bot", "d", "c"); err != nil {
		t.Fatal(err)
	}
	if after, _ := h.Approval(t.Context(), ann, q.ID); after.Args != nil || after.UsedBy != "c" {
		t.Errorf("a used approval still has its arguments: %+v", after)
	}
}

func TestSignedAnswers(t *testing.T) {
	secret := durward.NewCredential("a-secret-of-24-characters")
	rules := durward.ApprovalDefaults()
	rules.Webhook = durward.Webhook{Secret: secret, Answers: true}
	h, d, _ := desk(t, rules)
	q, err := d.Ask(t.Context(), durward.Approval{Agent: "bot", Digest: "d"}, durward.ApprovalTerms{Need: 1, Approvers: []string{"ann"}})
	if err != nil {
		t.Fatal(err)
	}
	body := func(id, digest, by string) []byte {
		text, _ := json.Marshal(map[string]any{"id": id, "digest": digest, "by": by, "approve": true, "reason": "r"})
		return text
	}
	for what, m := range map[string]control.Signed{
		"another secret":      approval.Sign(durward.NewCredential("another-secret-of-24-char"), "m", h.now, body(q.ID, "d", "ann")),
		"another question":    approval.Sign(secret, "m", h.now, body("a_other", "d", "ann")),
		"another digest":      approval.Sign(secret, "m", h.now, body(q.ID, "e", "ann")),
		"no digest":           approval.Sign(secret, "m", h.now, body(q.ID, "", "ann")),
		"who is not asked":    approval.Sign(secret, "m", h.now, body(q.ID, "d", "mallory")),
		"nobody":              approval.Sign(secret, "m", h.now, body(q.ID, "d", "")),
		"an hour ago":         approval.Sign(secret, "m", h.now.Add(-time.Hour), body(q.ID, "d", "ann")),
		"no signature at all": {ID: "m", Body: body(q.ID, "d", "ann")},
	} {
		if _, err := h.SignedAnswer(t.Context(), q.ID, m); err == nil {
			t.Errorf("%s: the answer is taken", what)
		}
	}
	good := approval.Sign(secret, "m", h.now, body(q.ID, "d", "ann"))
	if got, err := h.SignedAnswer(t.Context(), q.ID, good); err != nil || got.State != durward.ApprovalApproved || got.Answers[0].Channel != "webhook" {
		t.Errorf("SignedAnswer = %+v, %v", got, err)
	}
	if _, err := h.SignedAnswer(t.Context(), q.ID, good); err == nil {
		t.Error("the same message is taken twice")
	}
	// Where everybody may answer, that is every operator.
	open, err := d.Ask(t.Context(), durward.Approval{Agent: "bot", Digest: "o"}, durward.ApprovalTerms{Need: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateAdminKey(t.Context(), durward.Actor{Name: "local", Operator: true}, "dora", time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mallory", "local", "bot"} {
		if _, err := h.SignedAnswer(t.Context(), open.ID, approval.Sign(secret, "m", h.now, body(open.ID, "o", name))); durward.AsError(err).Reason != durward.ReasonNotApprover {
			t.Errorf("%s, who is no operator: %v", name, err)
		}
	}
	if got, err := h.SignedAnswer(t.Context(), open.ID, approval.Sign(secret, "m", h.now, body(open.ID, "o", "dora"))); err != nil || got.State != durward.ApprovalApproved {
		t.Errorf("an operator's: %+v, %v", got, err)
	}
	rules.Webhook.Answers = false
	d.Rule(rules)
	if _, err := h.SignedAnswer(t.Context(), q.ID, good); durward.AsError(err).Code != durward.Forbidden {
		t.Errorf("answers are off: %v", err)
	}
}
