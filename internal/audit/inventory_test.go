package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"durward/internal/audit"
)

func TestVerifyNamesWhatDoesNotBelongAndWhatIsMissing(t *testing.T) {
	dir := sealedLog(t, 300, 1<<20)
	for _, name := range []string{"99999999999999999999.jsonl", "notes.txt", "00000000000000000007-2.torn", "checkpoint.new"} {
		write(t, filepath.Join(dir, name), []byte("x\n"))
	}
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{})
	if want := []string{"99999999999999999999.jsonl", "notes.txt"}; err != nil || !slices.Equal(rep.Foreign, want) || len(rep.Missing) > 0 {
		t.Errorf("Verify = foreign %q, missing %q, %v; want foreign %q", rep.Foreign, rep.Missing, err, want)
	}
	for _, name := range []string{"checkpoints.log", "checkpoint"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	rep, err = audit.Verify(t.Context(), dir, audit.VerifyOptions{})
	if want := []string{"checkpoints.log", "checkpoint"}; err != nil || !slices.Equal(rep.Missing, want) {
		t.Errorf("Verify = missing %q, %v; want %q", rep.Missing, err, want)
	}
	fresh := sealedLog(t, 0, 1<<20) // only the empty tree is signed
	if rep, err = audit.Verify(t.Context(), fresh, audit.VerifyOptions{}); err != nil || len(rep.Missing) > 0 {
		t.Errorf("Verify of a log without records = missing %q, %v", rep.Missing, err)
	}
	if rep, err = audit.Verify(t.Context(), logOf(t, 3, audit.Options{}), audit.VerifyOptions{}); err != nil || len(rep.Missing)+len(rep.Foreign) > 0 {
		t.Errorf("Verify of a log that was never sealed = missing %q, foreign %q, %v", rep.Missing, rep.Foreign, err)
	}
}
