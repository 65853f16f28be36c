package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/identity"
)

var pepper = []byte("0123456789abcdef0123456789abcdef")

func TestMintedKeysAreWellFormedAndDifferent(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret, k := identity.Mint(pepper, time.Now())
		if err := identity.Check(secret); err != nil || seen[secret] {
			t.Fatalf("Mint gave %q: check %v, seen before %v", secret, err, seen[secret])
		}
		seen[secret] = true
		if !strings.HasSuffix(secret, k.Hint) || k.Hash != identity.Hash(pepper, secret) {
			t.Fatalf("key %+v does not belong to its secret", k)
		}
	}
}

func TestEveryMistypedCharacterIsFound(t *testing.T) {
	secret, _ := identity.Mint(pepper, time.Now())
	for i := len(identity.Prefix); i < len(secret); i++ {
		b := []byte(secret)
		if b[i]++; b[i] == '[' || b[i] == '{' || b[i] == ':' {
			b[i] = 'x'
		}
		if string(b) == secret {
			continue
		}
		if err := identity.Check(string(b)); !errors.Is(err, identity.ErrMalformed) {
			t.Errorf("Check with character %d changed = %v, want ErrMalformed", i, err)
		}
	}
}

func TestCheckOfChosenKeys(t *testing.T) {
	for secret, ok := range map[string]bool{
		"":                                 false,
		"short":                            false,
		strings.Repeat("x", 23):            false,
		strings.Repeat("x", 24):            true,
		"with a space in the middle of it": false,
		strings.Repeat("ü", 24):            false,
	} {
		if err := identity.Check(secret); (err == nil) != ok {
			t.Errorf("Check(%q) = %v, want ok %v", secret, err, ok)
		}
	}
}

func TestVerify(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	agents := []durward.Agent{{Name: "bot"}, {Name: "off", Disabled: true}}
	mint := func(edit func(*durward.Key)) (string, durward.Key) {
		s, k := identity.Mint(pepper, now)
		k.Agent = "bot"
		edit(&k)
		return s, k
	}
	good, k1 := mint(func(*durward.Key) {})
	second, k2 := mint(func(k *durward.Key) { k.Expires = now.Add(time.Second) })
	expired, k3 := mint(func(k *durward.Key) { k.Expires = now })
	revoked, k4 := mint(func(k *durward.Key) { k.Revoked = now })
	disabled, k5 := mint(func(k *durward.Key) { k.Agent = "off" })
	gone, k6 := mint(func(k *durward.Key) { k.Agent = "removed" })
	admin, k7 := mint(func(k *durward.Key) { k.Agent, k.Admin = "", true })
	stranger, _ := mint(func(*durward.Key) {})
	x := identity.Compile(pepper, agents, []durward.Key{k1, k2, k3, k4, k5, k6, k7})

	for name, tc := range map[string]struct {
		secret string
		want   durward.Reason
	}{
		"a live key":                           {good, ""},
		"a second key that overlaps":           {second, ""},
		"a key at the moment of its expiry":    {expired, durward.ReasonKeyExpired},
		"a revoked key":                        {revoked, durward.ReasonKeyRevoked},
		"a key of a disabled agent":            {disabled, durward.ReasonAgentDisabled},
		"a key whose agent is gone":            {gone, durward.ReasonAgentDisabled},
		"an operator's key opens no data":      {admin, durward.ReasonKeyUnknown},
		"a well-formed key of somebody else":   {stranger, durward.ReasonKeyUnknown},
		"a cut key":                            {good[:len(good)-1], durward.ReasonKeyMalformed},
		"nothing, and nobody may be anonymous": {"", durward.ReasonCredentialMissing},
	} {
		agent, _, err := x.Verify(durward.NewCredential(tc.secret), now)
		if tc.want == "" {
			if err != nil || agent.Name != "bot" {
				t.Errorf("%s: Verify = %v, %v, want bot", name, agent, err)
			}
			continue
		}
		if got := durward.AsError(err).Reason; got != tc.want || agent != nil {
			t.Errorf("%s: Verify = %v, reason %q, want %q", name, agent, got, tc.want)
		}
		if tc.secret != "" && strings.Contains(err.Error(), tc.secret) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}

func TestAnonymousAgent(t *testing.T) {
	x := identity.Compile(pepper, []durward.Agent{{Name: "laptop", Anonymous: true}}, nil)
	if a, _, err := x.Verify(durward.Credential{}, time.Now()); err != nil || a.Name != "laptop" {
		t.Fatalf("Verify without credential = %v, %v, want laptop", a, err)
	}
	if _, _, err := x.Verify(durward.NewCredential("wrong-but-long-enough-for-a-key"), time.Now()); durward.AsError(err).Reason != durward.ReasonKeyUnknown {
		t.Fatalf("a wrong key fell back to the anonymous agent: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	secret, k := identity.Mint(pepper, time.Now())
	k.Agent = "bot"
	x := identity.Compile(pepper, []durward.Agent{{Name: "bot"}}, []durward.Key{k})
	c, now := durward.NewCredential(secret), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := x.Verify(c, now); err != nil {
			b.Fatal(err)
		}
	}
}
