package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/control"
	"durward/internal/identity"
	"durward/internal/snapshot"
	"durward/internal/store"
)

var operator = durward.Actor{Name: "tester", Operator: true}

// house is control over a real store, with a file and a clock of the test.
type house struct {
	*control.Control
	db      *store.DB
	file    *durward.Snapshot
	now     time.Time
	refuse  error // what the compiler says of the next plan
	settled []durward.Revision
	defined []durward.Definition // what crm defines; nil when it was not read
	reread  func()               // what reading it anew does
}

func open(t *testing.T) *house {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{db: db, reread: func() {}, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), file: &durward.Snapshot{
		Agents: []durward.Agent{{Name: "filed", Origin: durward.FromFile}, {Name: "keyed", Origin: durward.FromFile}},
		Keys: []durward.Key{
			{ID: "f_1", Agent: "keyed", Hash: [32]byte{1}, Origin: durward.FromFile},
			{ID: "f_2", Admin: true, Hash: identity.Hash(db.Pepper(), "an-operators-key-in-the-file"), Origin: durward.FromFile},
		},
		Roles:     []durward.Role{{Name: "support", Allow: []string{"*"}}},
		Upstreams: []durward.Upstream{{Name: "crm", URL: "https://crm.example", Origin: durward.FromFile}},
	}}
	h.Control = control.New(control.Options{
		Store: db, Pepper: db.Pepper(),
		File:        func() (*durward.Snapshot, string) { return h.file, "/etc/durward.yaml" },
		Check:       func(*durward.Snapshot) error { return h.refuse },
		Settle:      func(_ context.Context, r durward.Revision) error { h.settled = append(h.settled, r); return nil },
		Now:         func() time.Time { return h.now },
		Own:         func() []string { return []string{"127.0.0.1:4711"} },
		Reread:      func(context.Context, string) { h.reread() },
		Definitions: func(string) ([]durward.Definition, bool) { return h.defined, h.defined != nil },
	})
	return h
}

// verify is the reason for which a secret is refused on the data listener; "" when it is good.
func (h *house) verify(t *testing.T, secret string) durward.Reason {
	t.Helper()
	state, err := h.db.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := snapshot.Merge(h.file, state)
	_, _, err = identity.Compile(h.db.Pepper(), s.Agents, s.Keys).Verify(durward.NewCredential(secret), h.now)
	if err == nil {
		return ""
	}
	return durward.AsError(err).Reason
}

func wantError(t *testing.T, err error, code durward.Code, reason durward.Reason, text string) {
	t.Helper()
	var e *durward.Error
	if !errors.As(err, &e) || e.Code != code || e.Reason != reason || !strings.Contains(e.Message, text) {
		t.Errorf("err = %v, want code %d, reason %s and %q", err, code, reason, text)
	}
}

func TestNobodyButAnOperatorMayDoAnything(t *testing.T) {
	h := open(t)
	by := durward.Actor{Name: "someone"}
	ctx := t.Context()
	for name, do := range map[string]func() error{
		"Agents":              func() error { _, err := h.Agents(ctx, by); return err },
		"Agent":               func() error { _, err := h.Agent(ctx, by, "filed"); return err },
		"CreateAgent":         func() error { _, err := h.CreateAgent(ctx, by, control.NewAgent{Name: "x"}); return err },
		"SetAgentRoles":       func() error { return h.SetAgentRoles(ctx, by, "filed", nil) },
		"SetAgentDisabled":    func() error { return h.SetAgentDisabled(ctx, by, "filed", true) },
		"DeleteAgent":         func() error { return h.DeleteAgent(ctx, by, "filed") },
		"RotateKey":           func() error { _, err := h.RotateKey(ctx, by, "filed", control.Rotation{}); return err },
		"RevokeAgent":         func() error { return h.RevokeAgent(ctx, by, "filed") },
		"RevokeKey":           func() error { return h.RevokeKey(ctx, by, "f_1") },
		"AdminKeys":           func() error { _, err := h.AdminKeys(ctx, by); return err },
		"CreateAdminKey":      func() error { _, err := h.CreateAdminKey(ctx, by, "", time.Time{}); return err },
		"Upstreams":           func() error { _, err := h.Upstreams(ctx, by); return err },
		"Upstream":            func() error { _, err := h.Upstream(ctx, by, "crm"); return err },
		"AddUpstream":         func() error { return h.AddUpstream(ctx, by, durward.Upstream{Name: "x", Command: "y"}) },
		"SetUpstreamDisabled": func() error { return h.SetUpstreamDisabled(ctx, by, "crm", true) },
		"RemoveUpstream":      func() error { return h.RemoveUpstream(ctx, by, "crm") },
		"Roles":               func() error { _, err := h.Roles(ctx, by); return err },
		"PutRole":             func() error { return h.PutRole(ctx, by, durward.Role{Name: "r"}) },
		"DeleteRole":          func() error { return h.DeleteRole(ctx, by, "support") },
		"Revision":            func() error { _, err := h.Revision(ctx, by); return err },
	} {
		var e *durward.Error
		if err := do(); !errors.As(err, &e) || e.Code != durward.Forbidden {
			t.Errorf("%s by nobody = %v, want Forbidden", name, err)
		}
	}
}

func TestWhatTheFileDeclaresIsReadOnly(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	for name, err := range map[string]error{
		"SetAgentRoles":       h.SetAgentRoles(ctx, operator, "filed", nil),
		"SetAgentDisabled":    h.SetAgentDisabled(ctx, operator, "filed", true),
		"DeleteAgent":         h.DeleteAgent(ctx, operator, "filed"),
		"RevokeKey":           h.RevokeKey(ctx, operator, "f_1"),
		"RevokeAgent":         h.RevokeAgent(ctx, operator, "keyed"),
		"RemoveUpstream":      h.RemoveUpstream(ctx, operator, "crm"),
		"SetUpstreamDisabled": h.SetUpstreamDisabled(ctx, operator, "crm", true),
		"AddUpstream":         h.AddUpstream(ctx, operator, durward.Upstream{Name: "CRM", Command: "x"}),
		"PutRole":             h.PutRole(ctx, operator, durward.Role{Name: "support"}),
		"DeleteRole":          h.DeleteRole(ctx, operator, "support"),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, err, durward.Forbidden, durward.ReasonReadOnly, "/etc/durward.yaml")
		})
	}
	_, err := h.RotateKey(ctx, operator, "keyed", control.Rotation{})
	wantError(t, err, durward.Forbidden, durward.ReasonReadOnly, "/etc/durward.yaml")
	if rev, err := h.Revision(ctx, operator); err != nil || rev != 0 {
		t.Errorf("revision = %d, %v: something was stored", rev, err)
	}
}

func TestKeysComeAndGo(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	first, err := h.CreateAgent(ctx, operator, control.NewAgent{Name: "bot", Roles: []string{"support"}})
	if err != nil || h.verify(t, first.Secret) != "" {
		t.Fatalf("CreateAgent = %v, %v; the key is %q", first, err, h.verify(t, first.Secret))
	}
	second, err := h.RotateKey(ctx, operator, "bot", control.Rotation{Overlap: control.DefaultOverlap})
	if err != nil || h.verify(t, first.Secret) != "" || h.verify(t, second.Secret) != "" || !second.Ends.Equal(h.now.Add(24*time.Hour)) {
		t.Fatalf("RotateKey = %v, %v: both keys must be good until the end %v", second, err, second.Ends)
	}
	third, err := h.RotateKey(ctx, operator, "bot", control.Rotation{Overlap: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(24 * time.Hour)
	if got := h.verify(t, first.Secret); got != durward.ReasonKeyExpired {
		t.Errorf("the first key after its overlap: %q; a later rotation must not lengthen it", got)
	}
	if h.verify(t, second.Secret) != "" || h.verify(t, third.Secret) != "" {
		t.Error("the second and third key must be good for two days")
	}
	last, err := h.RotateKey(ctx, operator, "bot", control.Rotation{})
	if err != nil || h.verify(t, second.Secret) != durward.ReasonKeyRevoked || h.verify(t, third.Secret) != durward.ReasonKeyRevoked || h.verify(t, last.Secret) != "" {
		t.Errorf("a rotation without overlap must end all others at once: %v", err)
	}
	if err := h.RevokeKey(ctx, operator, last.Key.ID); err != nil || h.verify(t, last.Secret) != durward.ReasonKeyRevoked {
		t.Errorf("RevokeKey = %v, the key is %q", err, h.verify(t, last.Secret))
	}
	if err := h.RevokeKey(ctx, operator, last.Key.ID); err != nil {
		t.Errorf("revoking twice = %v, want no complaint", err)
	}
	wantError(t, h.RevokeKey(ctx, operator, "k_none"), durward.NotFound, durward.ReasonNotFound, "k_none")
	if len(h.settled) != 5 {
		t.Errorf("%d changes were waited for, want 5", len(h.settled))
	}
}

// Ends are kept in whole seconds, and are never earlier than was asked for.
func TestAnOverlapLastsAsLongAsAsked(t *testing.T) {
	h := open(t)
	first, err := h.CreateAgent(t.Context(), operator, control.NewAgent{Name: "bot", Roles: []string{"support"}})
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(900 * time.Millisecond)
	if _, err := h.RotateKey(t.Context(), operator, "bot", control.Rotation{Overlap: time.Second}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(999 * time.Millisecond)
	if got := h.verify(t, first.Secret); got != "" {
		t.Errorf("the old key within its second: %s", got)
	}
	h.now = h.now.Add(time.Second)
	if got := h.verify(t, first.Secret); got != durward.ReasonKeyExpired {
		t.Errorf("the old key after two seconds: %q, want %s", got, durward.ReasonKeyExpired)
	}
}

func TestRevokedAgentHasNoWayLeft(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	m, err := h.CreateAgent(ctx, operator, control.NewAgent{Name: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.RevokeAgent(ctx, operator, "bot"); err != nil {
		t.Fatal(err)
	}
	a, err := h.Agent(ctx, operator, "bot")
	if err != nil || !a.Disabled || a.Keys[0].State != "revoked" || h.verify(t, m.Secret) == "" {
		t.Errorf("agent = %+v, %v", a, err)
	}
	_, err = h.RotateKey(ctx, operator, "bot", control.Rotation{})
	wantError(t, err, durward.Conflict, durward.ReasonConflict, "disabled")
	_, err = h.CreateAgent(ctx, operator, control.NewAgent{Name: "BOT"})
	wantError(t, err, durward.Conflict, durward.ReasonConflict, "bot")
	if err := h.SetAgentDisabled(ctx, operator, "bot", false); err != nil {
		t.Fatal(err)
	}
	if again, err := h.RotateKey(ctx, operator, "bot", control.Rotation{}); err != nil || h.verify(t, again.Secret) != "" || h.verify(t, m.Secret) != durward.ReasonKeyRevoked {
		t.Errorf("after enabling: %v", err)
	}
}

func TestFileAgentGetsStoredKeys(t *testing.T) {
	h := open(t)
	m, err := h.RotateKey(t.Context(), operator, "filed", control.Rotation{})
	if err != nil || h.verify(t, m.Secret) != "" {
		t.Fatalf("RotateKey = %v", err)
	}
	if err := h.RevokeAgent(t.Context(), operator, "filed"); err != nil || h.verify(t, m.Secret) != durward.ReasonKeyRevoked {
		t.Errorf("RevokeAgent = %v, the key is %q", err, h.verify(t, m.Secret))
	}
}

func TestShapes(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	create := func(in control.NewAgent) error { _, err := h.CreateAgent(ctx, operator, in); return err }
	wantError(t, create(control.NewAgent{}), durward.BadRequest, durward.ReasonRequestInvalid, "no name")
	wantError(t, create(control.NewAgent{Name: "a/b"}), durward.BadRequest, durward.ReasonRequestInvalid, "a/b")
	wantError(t, create(control.NewAgent{Name: "x", Roles: []string{"suport"}}), durward.NotFound, durward.ReasonNotFound, `"support"`)
	wantError(t, create(control.NewAgent{Name: "x", Expires: h.now}), durward.BadRequest, durward.ReasonRequestInvalid, "expired")
	wantError(t, create(control.NewAgent{Name: "filed"}), durward.Forbidden, durward.ReasonReadOnly, "filed")
	_, err := h.RotateKey(ctx, operator, "filde", control.Rotation{})
	wantError(t, err, durward.NotFound, durward.ReasonNotFound, `"filed"`)
	for _, d := range []time.Duration{-1, 100 * 24 * time.Hour} {
		_, err = h.RotateKey(ctx, operator, "filed", control.Rotation{Overlap: d})
		wantError(t, err, durward.BadRequest, durward.ReasonRequestInvalid, "90 days")
	}
	wantError(t, h.PutRole(ctx, operator, durward.Role{Name: "r", Deny: []string{""}}), durward.BadRequest, durward.ReasonRequestInvalid, "empty")
	wantError(t, h.PutRole(ctx, operator, durward.Role{Name: "r r"}), durward.BadRequest, durward.ReasonRequestInvalid, "r r")
	wantError(t, h.PutRole(ctx, operator, durward.Role{Name: "r", Allow: make([]string, 5000)}), durward.BadRequest, durward.ReasonRequestInvalid, "4096")
	wantError(t, h.AddUpstream(ctx, operator, durward.Upstream{Name: "x"}), durward.BadRequest, durward.ReasonRequestInvalid, "neither")
	wantError(t, h.AddUpstream(ctx, operator, durward.Upstream{Name: "x", Command: "${env:X}"}), durward.BadRequest, durward.ReasonRequestInvalid, "configuration file")
	wantError(t, h.DeleteRole(ctx, operator, "supporte"), durward.NotFound, durward.ReasonNotFound, `"support"`)
	if err := create(control.NewAgent{Name: "quiet", NoKey: true}); err != nil {
		t.Error(err)
	}
	if a, err := h.Agent(ctx, operator, "quiet"); err != nil || len(a.Keys) != 0 {
		t.Errorf("an agent without a key = %+v, %v", a, err)
	}
}

func TestAGatewayIsNotPutBehindItself(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	m, err := h.CreateAgent(ctx, operator, control.NewAgent{Name: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []durward.Upstream{
		{Name: "x", URL: "http://localhost:4711/mcp"},
		{Name: "x", Command: "npx", Args: []string{"mcp-remote", "http://127.0.0.1:4711/mcp/files"}},
		{Name: "x", URL: "https://gw.example/mcp", Headers: map[string]string{"Authorization": "Bearer " + m.Secret}},
		{Name: "x", Command: "bridge", Env: map[string]string{"KEY": m.Secret}},
	} {
		err := h.AddUpstream(ctx, operator, u)
		wantError(t, err, durward.BadRequest, durward.ReasonRequestInvalid, "this gateway itself")
		if err != nil && strings.Contains(err.Error(), m.Secret) {
			t.Errorf("the refusal shows the key: %v", err)
		}
	}
	for _, u := range []durward.Upstream{
		{Name: "a", URL: "http://localhost:4712/mcp"},
		{Name: "b", URL: "https://gw.example/mcp", Headers: map[string]string{"Authorization": "Bearer dwk_of_another_gateway"}},
	} {
		if err := h.AddUpstream(ctx, operator, u); err != nil {
			t.Errorf("AddUpstream(%s) = %v", u.URL, err)
		}
	}
}

func TestRoleInUseStays(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	if err := h.PutRole(ctx, operator, durward.Role{Name: "r", Allow: []string{"a__*"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateAgent(ctx, operator, control.NewAgent{Name: "bot", Roles: []string{"r"}}); err != nil {
		t.Fatal(err)
	}
	wantError(t, h.DeleteRole(ctx, operator, "r"), durward.Conflict, durward.ReasonConflict, "bot")
	if err := h.SetAgentRoles(ctx, operator, "bot", nil); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteRole(ctx, operator, "r"); err != nil {
		t.Error(err)
	}
}

func TestAnAgentIsDisabledWhateverItsRoles(t *testing.T) {
	h := open(t)
	if _, err := h.CreateAgent(t.Context(), operator, control.NewAgent{Name: "bot", Roles: []string{"support"}}); err != nil {
		t.Fatal(err)
	}
	h.file = &durward.Snapshot{} // the file no longer declares the role
	if err := h.SetAgentDisabled(t.Context(), operator, "bot", true); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotCompileIsNotStored(t *testing.T) {
	h := open(t)
	h.refuse = errors.New("rule 1 is odd")
	err := h.PutRole(t.Context(), operator, durward.Role{Name: "r"})
	wantError(t, err, durward.BadRequest, durward.ReasonRequestInvalid, "rule 1 is odd")
	h.refuse = nil
	if roles, _ := h.Roles(t.Context(), operator); len(roles) != 1 {
		t.Errorf("roles = %+v, want the file's alone", roles)
	}
}

func TestLiveKeysAreBounded(t *testing.T) {
	h := open(t)
	for i := range 17 {
		_, err := h.RotateKey(t.Context(), operator, "filed", control.Rotation{Overlap: time.Hour})
		if i < 16 && err != nil {
			t.Fatal(err)
		}
		if i == 16 {
			wantError(t, err, durward.Conflict, durward.ReasonConflict, "16 live keys")
		}
	}
}

func TestKeysOfLongAgoAreForgotten(t *testing.T) {
	h := open(t)
	for range 5 {
		if _, err := h.RotateKey(t.Context(), operator, "filed", control.Rotation{}); err != nil {
			t.Fatal(err)
		}
		h.now = h.now.Add(60 * 24 * time.Hour)
	}
	a, err := h.Agent(t.Context(), operator, "filed")
	if err != nil || len(a.Keys) != 3 || a.Keys[2].State != "live" {
		t.Errorf("keys = %+v, %v, want the live one and two that ended lately", a.Keys, err)
	}
}

func TestAuthenticate(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	admin, err := h.CreateAdminKey(ctx, operator, "", h.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	bot, err := h.CreateAgent(ctx, operator, control.NewAgent{Name: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	if h.verify(t, admin.Secret) != durward.ReasonKeyUnknown {
		t.Error("an operator's key opens the data listener")
	}
	for name, tc := range map[string]struct {
		secret string
		want   string
	}{
		"an operator's key":        {admin.Secret, "key " + admin.Key.ID},
		"an operator's file key":   {"an-operators-key-in-the-file", "key f_2"},
		"an agent's key":           {bot.Secret, ""},
		"nothing":                  {"", ""},
		"a key that was not known": {"dwk_something-else-entirely", ""},
	} {
		by, err := h.Authenticate(ctx, durward.NewCredential(tc.secret))
		if by.Name != tc.want || by.Operator != (tc.want != "") || (err == nil) != (tc.want != "") {
			t.Errorf("%s: Authenticate = %+v, %v, want %q", name, by, err, tc.want)
		}
	}
	h.now = h.now.Add(time.Hour)
	if by, err := h.Authenticate(ctx, durward.NewCredential(admin.Secret)); err == nil || by.Operator {
		t.Errorf("an expired operator's key gives %+v", by)
	}
}

func TestManyAtOnce(t *testing.T) {
	h := open(t)
	h.Control = control.New(control.Options{Store: h.db, Pepper: h.db.Pepper()})
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			for n := range 4 {
				name := fmt.Sprintf("bot-%d-%d", i, n)
				if _, err := h.CreateAgent(t.Context(), operator, control.NewAgent{Name: name}); err != nil && durward.AsError(err).Code != durward.Conflict {
					t.Errorf("CreateAgent(%s) = %v", name, err)
				}
			}
		})
	}
	group.Wait()
	agents, err := h.Agents(t.Context(), operator)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		if len(a.Keys) != 1 {
			t.Errorf("%s has %d keys", a.Name, len(a.Keys))
		}
	}
}

func TestSecretsDoNotSpread(t *testing.T) {
	h := open(t)
	m, err := h.CreateAgent(t.Context(), operator, control.NewAgent{Name: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("minted", "key", m)
	for name, text := range map[string]string{"%v": fmt.Sprintf("%v", m), "%+v": fmt.Sprintf("%+v", m), "%#v": fmt.Sprintf("%#v", m), "slog": log.String()} {
		if strings.Contains(text, m.Secret) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
	journal, err := h.db.Journal(t.Context(), 0, 10)
	text, _ := json.Marshal(journal)
	if err != nil || strings.Contains(string(text), m.Secret) || journal[0].By != "tester" {
		t.Errorf("journal = %s, %v", text, err)
	}
}

func TestWhoAnOperatorMayBe(t *testing.T) {
	h := open(t)
	ctx, local := t.Context(), durward.Actor{Name: "local", Operator: true}
	var noted []string
	h.Control = control.New(control.Options{
		Store: h.db, Pepper: h.db.Pepper(), Now: func() time.Time { return h.now }, File: func() (*durward.Snapshot, string) { return h.file, "/etc/durward.yaml" },
		Note: func(_ context.Context, by, method, what, _ string) error {
			noted = append(noted, by+" "+method+" "+what)
			return nil
		},
	})
	h.file.Keys = append(h.file.Keys, durward.Key{ID: "f_3", Admin: true, Name: "ann", Hash: identity.Hash(h.db.Pepper(), "the-key-of-ann-in-the-file"), Origin: durward.FromFile})
	_, err := h.CreateAdminKey(ctx, local, "ann", time.Time{})
	wantError(t, err, durward.Forbidden, durward.ReasonReadOnly, "Operator ann is declared in /etc/durward.yaml")
	ann, err := h.Authenticate(ctx, durward.NewCredential("the-key-of-ann-in-the-file"))
	if err != nil || !ann.Named() || !ann.Since.IsZero() {
		t.Fatalf("Authenticate = %+v, %v", ann, err)
	}
	if _, err := h.CreateAdminKey(ctx, ann, "ann", time.Time{}); err != nil {
		t.Errorf("ann makes herself a key: %v", err)
	}
	h.now = h.now.Add(300 * time.Millisecond)
	m, err := h.CreateAdminKey(ctx, local, "bob", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if bob, err := h.Authenticate(ctx, durward.NewCredential(m.Secret)); err != nil || !bob.Since.Equal(h.now) {
		t.Errorf("Authenticate = %+v, %v, want a key made at %s", bob, err, h.now)
	}
	if want := []string{"ann operator/key operator:ann", "local operator/key operator:bob"}; !slices.Equal(noted, want) {
		t.Errorf("the record has %q, want %q", noted, want)
	}

	if _, err := h.Kill(ctx, ann, control.Kill{Name: "filed"}); err != nil {
		t.Fatal(err)
	}
	_, err = h.Release(ctx, local, control.Release{Name: "filed", Reason: "r"})
	wantError(t, err, durward.BadRequest, durward.ReasonRequestInvalid, "Say who releases it")
	if _, err := h.Release(ctx, ann, control.Release{Name: "filed", Reason: "r"}); err != nil || noted[len(noted)-1] != "ann operator/release agent:filed" {
		t.Errorf("Release = %v, noted %q", err, noted)
	}
}
