package approval_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/approval"
)

// shelf keeps values in memory.
type shelf map[string][]byte

func (s shelf) Each(_ context.Context, fn func(string, []byte) error) error {
	for k, v := range maps.Clone(s) {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}
func (s shelf) Put(_ context.Context, k string, v []byte) error {
	s[k] = append([]byte(nil), v...)
	return nil
}
func (s shelf) Delete(_ context.Context, keys ...string) error {
	for _, k := range keys {
		delete(s, k)
	}
	return nil
}

func open(t *testing.T, s shelf) *approval.Desk {
	t.Helper()
	d, err := approval.Open(t.Context(), approval.Options{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func keep(durward.Approval) error { return nil }

func question(agent, digest string) durward.Approval {
	return durward.Approval{Agent: agent, Digest: digest, Method: "tools/call", Upstream: "bank", Tool: "pay", Key: "k_agent", Owner: "olga", Call: "c"}
}

// TestNoApprovalIsUsedTwice asks, answers, uses, waits and dies at random, with
// a fake clock, and counts what was let through.
func TestNoApprovalIsUsedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := []string{"ann", "bob", "carl", "olga"}
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 2))
			disk := shelf{}
			d := open(t, disk)
			used, answers := map[string]int{}, map[string]map[string]bool{}
			for range 200 {
				terms := durward.ApprovalTerms{Approvers: []string{"ann", "bob", "olga"}, Need: 1 + rng.IntN(2), FourEyes: true}
				q, err := d.Ask(t.Context(), question("bot", fmt.Sprintf("d%d", rng.IntN(3))), terms)
				if err != nil {
					t.Fatal(err)
				}
				if rng.IntN(6) > 0 {
					by := people[rng.IntN(len(people))]
					a, err := d.Answer(t.Context(), q.ID, durward.ApprovalAnswer{By: by, Key: "k_" + by, Channel: "admin", Approve: rng.IntN(8) > 0, Reason: "r"}, keep)
					if err == nil {
						if answers[q.ID] == nil {
							answers[q.ID] = map[string]bool{}
						}
						last := a.Answers[len(a.Answers)-1]
						if by == "carl" || (by == "olga" && last.Approve) || answers[q.ID][by] {
							t.Fatalf("seed %d: %s answered %+v", seed, by, last)
						}
						answers[q.ID][by] = last.Approve
					}
				}
				if rng.IntN(3) == 0 {
					time.Sleep(time.Duration(rng.IntN(10)) * time.Minute)
				}
				for range 1 + rng.IntN(2) {
					if d.Use(t.Context(), q.ID, "bot", q.Digest, "call") == nil {
						used[q.ID]++
						if yes := count(answers[q.ID]); yes < q.Terms.Need {
							t.Fatalf("seed %d: %s was used with %d of %d answers", seed, q.ID, yes, q.Terms.Need)
						}
						if rng.IntN(2) == 0 {
							_ = d.Done(t.Context(), q.ID, durward.OutcomeOK)
						}
					}
				}
				if d.Use(t.Context(), q.ID, "bot", "another digest", "call") == nil || d.Use(t.Context(), q.ID, "other", q.Digest, "call") == nil {
					t.Fatalf("seed %d: %s was used for another call", seed, q.ID)
				}
				if rng.IntN(5) == 0 {
					disk = maps.Clone(disk) // of a process that died
					d = open(t, disk)
					for _, a := range d.List(t.Context(), durward.ApprovalUsed) {
						if a.Outcome == "" {
							t.Fatalf("seed %d: %s is under way after a restart", seed, a.ID)
						}
					}
				}
			}
			for id, n := range used {
				if n > 1 {
					t.Fatalf("seed %d: %s was used %d times", seed, id, n)
				}
			}
		}
	})
}

func count(answers map[string]bool) (n int) {
	for _, yes := range answers {
		if yes {
			n++
		}
	}
	return n
}

func TestWhoMayNotAnswer(t *testing.T) {
	d := open(t, shelf{})
	two := durward.ApprovalTerms{Need: 2, FourEyes: true}
	q, err := d.Ask(t.Context(), question("bot", "d"), two)
	if err != nil {
		t.Fatal(err)
	}
	for what, a := range map[string]durward.ApprovalAnswer{
		"the key that called":   {By: "ann", Key: "k_agent", Approve: true, Reason: "r"},
		"nobody":                {Key: "k_x", Approve: true, Reason: "r"},
		"a key without a name":  {By: "key k_x", Key: "k_x", Approve: true, Reason: "r"},
		"whoever is local":      {By: "local", Channel: "admin", Approve: true, Reason: "r"},
		"the owner of the key":  {By: "olga", Key: "k_o", Approve: true, Reason: "r"},
		"a key made meanwhile":  {By: "dora", Key: "k_d", Since: time.Now().Add(time.Second), Approve: true, Reason: "r"},
		"one without a reason":  {By: "ann", Key: "k_a", Approve: true, Reason: " "},
		"one with a long story": {By: "ann", Key: "k_a", Approve: true, Reason: string(make([]byte, 501))},
	} {
		if _, err := d.Answer(t.Context(), q.ID, a, keep); err == nil {
			t.Errorf("%s may answer", what)
		}
	}
	if _, err := d.Answer(t.Context(), q.ID, durward.ApprovalAnswer{By: "ann", Key: "k_a", Approve: true, Reason: "r"}, func(durward.Approval) error { return io.ErrShortWrite }); err == nil {
		t.Error("an answer that cannot be recorded counts")
	}
	if a, _ := d.Get(t.Context(), q.ID); len(a.Answers) != 0 {
		t.Errorf("answers = %+v, want none", a.Answers)
	}
	if a, err := d.Answer(t.Context(), q.ID, durward.ApprovalAnswer{By: "olga", Key: "k_o", Reason: "no"}, keep); err != nil || a.State != durward.ApprovalDenied {
		t.Errorf("the owner may deny: %v, %v", a.State, err)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	d := open(t, shelf{})
	d.Rule(durward.ApprovalRules{ApprovalTerms: durward.ApprovalTerms{Need: 1}, Expire: time.Minute, PerAgent: 2, Most: 3, Keep: time.Hour})
	for i, want := range []bool{true, true, false} {
		if _, err := d.Ask(t.Context(), question("bot", fmt.Sprint(i)), durward.ApprovalTerms{Need: 1}); (err == nil) != want {
			t.Errorf("question %d of an agent: %v", i, err)
		}
	}
	if _, err := d.Ask(t.Context(), question("bot", "1"), durward.ApprovalTerms{Need: 1}); err != nil {
		t.Errorf("the same question is the same: %v", err)
	}
	for i, want := range []bool{true, false} {
		if _, err := d.Ask(t.Context(), question("other", fmt.Sprint(i)), durward.ApprovalTerms{Need: 1}); (err == nil) != want {
			t.Errorf("question %d of all: %v", i, err)
		}
	}
}

func TestWaitEndsWithTheAnswerOrTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, shelf{})
		q, _ := d.Ask(t.Context(), question("bot", "1"), durward.ApprovalTerms{Need: 1})
		go func() {
			time.Sleep(time.Minute)
			_, _ = d.Answer(context.Background(), q.ID, durward.ApprovalAnswer{By: "ann", Approve: true, Reason: "r"}, keep)
		}()
		began := time.Now()
		if a, err := d.Wait(t.Context(), q.ID); err != nil || a.State != durward.ApprovalApproved || time.Since(began) != time.Minute {
			t.Errorf("Wait = %v, %v after %s", a.State, err, time.Since(began))
		}
		late, _ := d.Ask(t.Context(), question("bot", "2"), durward.ApprovalTerms{Need: 1})
		if a, err := d.Wait(t.Context(), late.ID); err != nil || a.State != durward.ApprovalExpired {
			t.Errorf("Wait = %v, %v, want expired", a.State, err)
		}
	})
}

// The example of the specification's libraries.
func TestSecretsOfStandardWebhooks(t *testing.T) {
	m := approval.Sign(durward.NewCredential("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if m.Signature != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", m.Signature)
	}
	text := durward.NewCredential("whsec_not base64 but 24 characters")
	if err := approval.Verify(text, approval.Sign(text, "m", time.Now(), nil), time.Now()); err != nil {
		t.Errorf("a secret that only begins so: %v", err)
	}
}

func TestTheWebhookIsSignedBothWays(t *testing.T) {
	secret := durward.NewCredential("a-secret-of-24-characters")
	got := make(chan approval.Signed, 4)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- approval.Signed{ID: r.Header.Get("Webhook-Id"), Timestamp: r.Header.Get("Webhook-Timestamp"), Signature: r.Header.Get("Webhook-Signature"), Body: body}
	}))
	defer hook.Close()
	d := open(t, shelf{})
	rules := durward.ApprovalDefaults()
	rules.Webhook = durward.Webhook{URL: hook.URL, Secret: secret}
	d.Rule(rules)
	n := approval.NewNotifier(d)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.Run(ctx) }()
	defer func() { stop(); <-ended }()
	if _, err := d.Ask(t.Context(), question("bot", "1"), durward.ApprovalTerms{Need: 1}); err != nil {
		t.Fatal(err)
	}
	m := <-got
	if err := approval.Verify(secret, m, time.Now()); err != nil {
		t.Errorf("what was sent is not signed well: %v", err)
	}
	var said struct{ Type string }
	if err := json.Unmarshal(m.Body, &said); err != nil || said.Type != "approval.pending" {
		t.Errorf("sent %s", m.Body)
	}
	forged := m
	forged.Body = []byte(`{"approve":true}`)
	for what, err := range map[string]error{
		"another body":   approval.Verify(secret, forged, time.Now()),
		"another secret": approval.Verify(durward.NewCredential("another-secret-of-24-char"), m, time.Now()),
		"no secret":      approval.Verify(durward.Credential{}, m, time.Now()),
		"too old":        approval.Verify(secret, m, time.Now().Add(6*time.Minute)),
		"from later":     approval.Verify(secret, m, time.Now().Add(-6*time.Minute)),
	} {
		if err == nil {
			t.Errorf("%s is believed", what)
		}
	}
}
