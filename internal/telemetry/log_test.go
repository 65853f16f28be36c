package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"durward"
	"durward/internal/telemetry"
)

const minted = "dwk_0123456789abcdefABCDEF0123456789abcdefABCDEF01"

func TestSecretsStayOutOfTheLog(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log := telemetry.NewLog(&out, telemetry.LogOptions{Format: format})
		log.Info("key "+minted+" used", "err", errors.New("cannot use "+minted), "header", "Bearer abcdefghijklmnop",
			"Authorization", "Basic x7x7x7", "X-API-Key", "x7x7x7", slog.Group("in", "password", "x7x7x7", "note", "Bearer  abcdefghijklmnop"),
			"credential", durward.NewCredential("x7x7x7"), "c", durward.NewCredential("x7x7x7"), "agent", "bearer")
		for _, secret := range []string{minted, "abcdefghijklmnop", "x7x7x7"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s shows %q: %s", format, secret, out.String())
			}
		}
		if !strings.Contains(out.String(), "[redacted]") || !strings.Contains(out.String(), "bearer") {
			t.Errorf("%s lost more than secrets: %s", format, out.String())
		}
	}
}

func TestLevelChangesWhileItRuns(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLog(&out, telemetry.LogOptions{Level: "warn"})
	child := log.With("part", "x")
	child.Info("one")
	log.SetLevel("debug")
	child.Debug("two")
	log.SetLevel("nonsense")
	child.Debug("three")
	if got := out.String(); strings.Contains(got, "one") || !strings.Contains(got, "two") || strings.Contains(got, "three") {
		t.Errorf("log = %q, want only two", got)
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	var out bytes.Buffer
	telemetry.NewLog(&out, telemetry.LogOptions{Format: "json", NoTime: true}).Info("call denied", "agent", "bot")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["agent"] != "bot" || line["time"] != nil {
		t.Errorf("line = %s, %v", out.String(), err)
	}
}
