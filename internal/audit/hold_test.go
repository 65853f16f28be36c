package audit_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/audit/merkle"
)

// aged writes a sealed log of old records, and a hundred of now.
func aged(t *testing.T, change func(i int, r *durward.Record)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l, s := sealed(t, dir, audit.Options{SegmentBytes: 48 << 10}, audit.SealOptions{Every: time.Hour, Records: 1 << 40})
	for i := range 1500 {
		r := numbered(i)
		r.Time = time.Now().Add(-48 * time.Hour)
		if i >= 1400 {
			r.Time = time.Now()
		}
		if change != nil {
			change(i, r)
		}
		put(t, l, r, audit.Written)
	}
	shutSealed(t, l, s)
	return dir
}

func expired(t *testing.T, dir string, periods map[string]time.Duration) audit.Drop {
	t.Helper()
	signed, err := audit.Checkpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := merkle.Read(signed)
	if err != nil {
		t.Fatal(err)
	}
	d, err := audit.Expired(t.Context(), dir, uint64(c.N), periods, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDroppedRecordsLeaveALogThatVerifies drops what is past its time, goes on
// writing, and proves what is left.
func TestDroppedRecordsLeaveALogThatVerifies(t *testing.T) {
	dir := aged(t, nil)
	before, err := audit.Checkpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := expired(t, dir, nil); len(d.Segments) != 0 {
		t.Errorf("without a period %v would be dropped", d.Segments)
	}
	if d := expired(t, dir, map[string]time.Duration{"default": 72 * time.Hour}); len(d.Segments) != 0 {
		t.Errorf("before their time %v would be dropped", d.Segments)
	}
	d := expired(t, dir, map[string]time.Duration{"default": 24 * time.Hour})
	if len(d.Segments) < 10 || d.First != 1 || d.Last >= 1400 {
		t.Fatalf("Expired = %+v", d)
	}
	key := publicKey(t, dir)
	l, s := sealed(t, dir, audit.Options{SegmentBytes: 48 << 10}, audit.SealOptions{})
	if err := l.Note(t.Context(), "retention", audit.MethodDrop, d); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(dir, merkle.Tiles{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	put(t, l, numbered(1), audit.Durable)
	shutSealed(t, l, s)
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Keys: []string{key}, Checkpoints: [][]byte{before}})
	if err != nil || rep.Tree.Dropped != d.Last || rep.Tree.Uncovered != 0 || rep.FirstSeq != d.Last+1 {
		t.Fatalf("Verify = %+v, %+v, %v", rep, rep.Tree, err)
	}
	p, err := audit.Prove(t.Context(), dir, "1450")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Check(key); err != nil {
		t.Error(err)
	}
	// And once more: what is left goes on being sealed after a restart.
	l, s = sealed(t, dir, audit.Options{}, audit.SealOptions{})
	put(t, l, numbered(2), audit.Durable)
	shutSealed(t, l, s)
	verifyBy(t, dir, key)
	// A segment that somebody else removed is missed.
	if err := os.Remove(segments(t, dir)[0]); err != nil {
		t.Fatal(err)
	}
	if f := fault(t, dir, audit.VerifyOptions{Keys: []string{key}}); f.Kind != audit.FaultMissing {
		t.Errorf("Verify = %v, want missing", f)
	}
}

func TestClassesAndHoldsKeepSegments(t *testing.T) {
	dir := aged(t, func(i int, r *durward.Record) {
		switch i {
		case 500:
			r.Class = "patient"
		case 300:
			r.User = "alice"
		}
	})
	periods := map[string]time.Duration{"default": 24 * time.Hour, "patient": 24 * 365 * time.Hour}
	d := expired(t, dir, periods)
	if d.Last == 0 || d.Last > 500 {
		t.Fatalf("with a class that is kept longer: %+v", d)
	}
	for _, c := range []struct {
		hold audit.Hold
		most uint64
	}{
		{audit.Hold{Name: "alice", Subject: "user:alice"}, 300},
		{audit.Hold{Name: "everything"}, 0},
		{audit.Hold{Name: "bob", Subject: "user:bob"}, d.Last},
		{audit.Hold{Name: "later", Since: time.Now().Add(-time.Hour)}, d.Last},
	} {
		if err := audit.PutHolds(dir, []audit.Hold{c.hold}); err != nil {
			t.Fatal(err)
		}
		if got := expired(t, dir, periods); got.Last > c.most || c.most == d.Last && got.Last != d.Last {
			t.Errorf("with the hold %s records up to %d would be dropped, want at most %d", c.hold.Name, got.Last, c.most)
		}
		all, err := audit.Holds(dir)
		if err != nil || len(all) != 1 || all[0].Name != c.hold.Name {
			t.Errorf("Holds = %+v, %v", all, err)
		}
	}
}
